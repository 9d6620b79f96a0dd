import { checkState, type HostTensor, Parameter, Runtime, type Tensor } from "@tt-rec/tensor";
import { throwsCode } from "@tt-rec/testing";
import test from "ava";

async function parameterOf(
  values: readonly number[],
  shape: readonly number[],
): Promise<{ runtime: Runtime; parameter: Parameter }> {
  const runtime = await Runtime.create();
  const parameter = new Parameter(runtime, "w", shape);
  parameter.weights.data.set(values);
  return { runtime, parameter };
}

function gradientOf(runtime: Runtime, values: readonly number[]): Tensor {
  const gradient = runtime.tensor([values.length]);
  gradient.data.set(values);
  return gradient;
}

const tensorOf = (shape: readonly number[], values: readonly number[]): HostTensor => ({
  dtype: "F32",
  shape,
  data: Float32Array.from(values),
});

test("updateSlices changes the named slices only, each from its own stacked gradient", async (t) => {
  const { runtime, parameter } = await parameterOf([0, 0, 0, 0, 0, 0], [3, 2]);
  parameter.updateSlices({ kind: "sgd", learningRate: 1 }, Uint32Array.of(0, 2), gradientOf(runtime, [1, 2, 3, 4]));
  t.deepEqual([...parameter.weights.data], [-1, -2, 0, 0, -3, -4]);
  t.is(parameter.sliceSize, 2);
});

test("optimizer state is made at the first need, counted, saved under its own name, and can be forgotten", async (t) => {
  const { runtime, parameter } = await parameterOf([1, 1], [2]);
  t.is(parameter.bytes, parameter.weightBytes);
  t.deepEqual(
    parameter.entries().map(([name]) => name),
    ["w"],
  );
  const gradient = gradientOf(runtime, [3, 4]);
  parameter.updateSlices({ kind: "adagrad", learningRate: 1, eps: 0 }, Uint32Array.of(0, 1), gradient);
  t.is(parameter.bytes, 2 * parameter.weightBytes);
  t.deepEqual([...parameter.weights.data], [0, 0]);
  const saved = new Map(parameter.entries());
  t.deepEqual(saved.get("adagrad.w"), tensorOf([2], [9, 16]));
  parameter.resetState(Uint32Array.of(1));
  t.deepEqual(new Map(parameter.entries()).get("adagrad.w"), tensorOf([2], [9, 0]));
});

test("row-wise accumulators are one a slice, have a name of their own, and live beside element-wise ones", async (t) => {
  const { runtime, parameter } = await parameterOf([0, 0, 0, 0, 0, 0], [3, 2]);
  const rule = { kind: "rowWiseAdagrad", learningRate: 1, eps: 1e-10 } as const;
  parameter.updateSlices(rule, Uint32Array.of(0, 2), gradientOf(runtime, [3, 3, 4, -4]));
  t.deepEqual([...parameter.weights.data], [-1, -1, 0, 0, -1, 1]);
  t.deepEqual(new Map(parameter.entries()).get("rowWiseAdagrad.w"), tensorOf([3], [9, 0, 16]));
  t.is(parameter.bytes, parameter.weightBytes + 12);
  t.is(parameter.stateFor({ kind: "sgd", learningRate: 1 }), undefined);
  t.deepEqual(parameter.stateFor({ kind: "adagrad", learningRate: 1 })?.shape, [3, 2]);
  t.deepEqual(parameter.stateFor({ kind: "adam", learningRate: 1, step: 1 })?.shape, [2, 3, 2]);
  t.deepEqual([...parameter.stateNames], ["w", "adagrad.w", "rowWiseAdagrad.w", "momentum.w", "adam.w"]);
  throwsCode(
    t,
    "E_MISMATCH",
    () => parameter.check(new Map([...parameter.entries(), ["rowWiseAdagrad.w", tensorOf([2], [1, 1])]])),
    /"rowWiseAdagrad\.w" is F32 \[2\], F32 \[3\] was expected/,
  );
});

test("adam's two accumulators of a slice are forgotten together, and those of others stay", async (t) => {
  const { runtime, parameter } = await parameterOf([0, 0, 0, 0, 0, 0], [3, 2]);
  const rule = { kind: "adam", learningRate: 1, step: 1, beta1: 0.5, beta2: 0.5 } as const;
  parameter.updateSlices(rule, Uint32Array.of(0, 2), gradientOf(runtime, [2, 2, 4, 4]));
  t.deepEqual(new Map(parameter.entries()).get("adam.w")?.data, Float32Array.of(1, 1, 0, 0, 2, 2, 2, 2, 0, 0, 8, 8));
  parameter.resetState(Uint32Array.of(2));
  t.deepEqual(new Map(parameter.entries()).get("adam.w")?.data, Float32Array.of(1, 1, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0));
});

test("load replaces weights and state, and a state without accumulators drops those at hand", async (t) => {
  const { runtime, parameter } = await parameterOf([1, 1], [2]);
  parameter.updateSlices({ kind: "adagrad", learningRate: 1 }, Uint32Array.of(0, 1), gradientOf(runtime, [3, 4]));
  parameter.load(
    new Map([
      ["w", tensorOf([2], [5, 6])],
      ["adagrad.w", tensorOf([2], [7, 8])],
    ]),
  );
  t.deepEqual(new Map(parameter.entries()).get("adagrad.w"), tensorOf([2], [7, 8]));
  parameter.load(new Map([["w", tensorOf([2], [9, 9])]]));
  t.deepEqual(parameter.entries(), [["w", tensorOf([2], [9, 9])]]);
});

test("a state that does not fit is refused by name", async (t) => {
  const { parameter } = await parameterOf([1, 2, 3], [3]);
  const good = tensorOf([3], [1, 2, 3]);
  const cases: [[string, HostTensor][], RegExp][] = [
    [[], /no tensor "w"/],
    [[["w", tensorOf([1, 3], [1, 2, 3])]], /\[1,3\], F32 \[3\] was expected/],
    [[["w", { dtype: "U32", shape: [3], data: new Uint32Array(3) }]], /is U32/],
    [[["w", tensorOf([3], [1, 2])]], /2 elements, \[3\] needs 3/],
    [
      [
        ["w", good],
        ["adagrad.w", tensorOf([2], [1, 2])],
      ],
      /"adagrad\.w"/,
    ],
    [
      [
        ["w", good],
        ["v", good],
      ],
      /unknown tensor "v"/,
    ],
  ];
  for (const [entries, message] of cases) throwsCode(t, "E_MISMATCH", () => checkState([parameter], new Map(entries)), message);
  t.notThrows(() => checkState([parameter], new Map([["w", good]])));
});
