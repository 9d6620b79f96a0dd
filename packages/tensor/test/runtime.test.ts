import { ERROR_CODES, isTtError, Runtime, type Tensor, TtError } from "@tt-rec/tensor";
import { rejectsCode, throwsCode } from "@tt-rec/testing";
import test from "ava";
import { sizeOfShape } from "../src/tensor.ts";

test("an error carries its code, its place and its cause", (t) => {
  const cause = new Error("below");
  const error = new TtError("E_ROW", "line 3 has 2 columns, 40 are expected", { file: "day_0", line: 3 }, { cause });
  t.is(error.name, "TtError");
  t.is(error.code, "E_ROW");
  t.deepEqual(error.where, { file: "day_0", line: 3 });
  t.is(error.cause, cause);
  t.deepEqual(new TtError("E_IO", "no place known").where, {});
});

test("a deliberate error is told by its code, whichever copy of the package made it", (t) => {
  for (const code of ERROR_CODES) t.true(isTtError(Object.assign(new Error("from another copy"), { code })));
  t.is(new Set(ERROR_CODES).size, ERROR_CODES.length);
  for (const other of [
    new Error("plain"),
    Object.assign(new Error("system"), { code: "ENOENT" }),
    { code: "E_IO" },
    "E_IO",
    null,
    undefined,
  ]) {
    t.false(isTtError(other));
  }
});

test("sizeOfShape multiplies extents, and refuses what is no extent", (t) => {
  t.is(sizeOfShape([]), 1);
  t.is(sizeOfShape([2, 3, 5]), 30);
  t.is(sizeOfShape([2 ** 40, 0]), 0);
  for (const extent of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
    throwsCode(t, "E_SHAPE", () => sizeOfShape([3, extent]), /shape\[1\] = /);
  }
  throwsCode(t, "E_SHAPE", () => sizeOfShape([2 ** 30, 2 ** 30]), /more than 2\^53 elements/);
});

test("a parameter is zeroed, keeps its values over steps, and dies on dispose", async (t) => {
  const runtime = await Runtime.create({ poison: true });
  const parameter = runtime.tensor([3, 5]);
  t.deepEqual([...parameter.data], new Array(15).fill(0));
  parameter.data[7] = 2;
  await runtime.step(async () => {
    runtime.scratch([11]).data.fill(1);
  });
  t.is(parameter.data[7], 2);
  t.false(parameter.disposed);
  parameter.dispose();
  parameter.dispose();
  t.true(parameter.disposed);
  throwsCode(t, "E_DISPOSED", () => parameter.data, /\[3,5\]/);
});

test("a reshape shares elements and life with its tensor", async (t) => {
  const runtime = await Runtime.create();
  const tensor = runtime.tensor([2, 3, 5]);
  const flat = tensor.reshape([30]);
  flat.data[29] = 4;
  t.is(tensor.data[29], 4);
  t.deepEqual(flat.shape, [30]);
  throwsCode(t, "E_SHAPE", () => tensor.reshape([2, 3]), /\[2,3\] has 6 elements, the tensor \[2,3,5\] has 30/);
  flat.dispose();
  throwsCode(t, "E_DISPOSED", () => tensor.data);
});

test("a tensor does not follow the array that its shape came from", async (t) => {
  const runtime = await Runtime.create();
  const shape = [2, 3];
  const tensor = runtime.tensor(shape);
  shape[0] = 99;
  t.deepEqual(tensor.shape, [2, 3]);
});

test("scratch tensors are zeroed, disjoint and aligned, and die with their step", async (t) => {
  const runtime = await Runtime.create({ poison: true });
  const kept: Tensor[] = [];
  const views: Float32Array[] = [];
  for (let step = 0; step < 2; step++) {
    await runtime.step(async () => {
      const tensors = [7, 1, 0, 13, 300_007, 5].map((size) => runtime.scratch([size]));
      for (const [i, tensor] of tensors.entries()) {
        t.true(
          tensor.data.every((value) => value === 0),
          "zeroed, although the last step left NaN",
        );
        t.is(tensor.byteOffset % 16, 0);
        tensor.data.fill(i + 1);
      }
      for (const [i, tensor] of tensors.entries()) t.true(tensor.data.every((value) => value === i + 1));
      kept.push(...tensors);
      views.push(tensors[0].data);
    });
  }
  for (const tensor of kept) throwsCode(t, "E_DISPOSED", () => tensor.data);
  for (const view of views) t.true(view.every(Number.isNaN), "a view that was kept too long shows NaN");
});

test("without poison the arena is left as it is", async (t) => {
  const runtime = await Runtime.create();
  const view = await runtime.step(async () => runtime.scratch([3]).data.fill(5));
  t.deepEqual([...view], [5, 5, 5]);
});

test("a steady state of steps takes no more memory", async (t) => {
  const runtime = await Runtime.create();
  const step = () =>
    runtime.step(async () => {
      for (const size of [1, 200_003, 17, 700_001, 3, 200_003]) runtime.scratch([size]);
    });
  t.is(runtime.scratchBytes, 0);
  await step();
  const bytes = runtime.scratchBytes;
  t.true(bytes >= 4 * 1_100_000);
  for (let i = 0; i < 13; i++) await step();
  t.is(runtime.scratchBytes, bytes);
});

test("scratch tensors of a scope die with it, and what the step had before lives on; the bytes are used again", async (t) => {
  const runtime = await Runtime.create({ poison: true });
  await runtime.step(async () => {
    const outer = runtime.scratch([5]);
    const offsets: number[] = [];
    for (let i = 0; i < 3; i++) {
      const inner = await runtime.scope(async () => {
        const tensor = runtime.scratch([1 << 20]);
        tensor.data.fill(7);
        offsets.push(tensor.byteOffset);
        t.false(outer.disposed);
        return tensor;
      });
      t.true(inner.disposed);
      throwsCode(t, "E_DISPOSED", () => inner.data);
    }
    t.deepEqual(offsets, [offsets[0], offsets[0], offsets[0]]);
    t.deepEqual([...outer.data], [0, 0, 0, 0, 0]);
    const later = runtime.scratch([3]);
    t.deepEqual([...later.data], [0, 0, 0]);
    await rejectsCode(
      t,
      "E_OPTION",
      runtime.scope(async () => {
        throw new TtError("E_OPTION", "inside");
      }),
    );
    t.false(later.disposed);
  });
  await rejectsCode(
    t,
    "E_STEP",
    runtime.scope(async () => undefined),
    /part of a step/,
  );
});

test("rows are a view of their tensor, and there are no others", async (t) => {
  const runtime = await Runtime.create();
  const tensor = runtime.tensor([3, 2]);
  tensor.data.set([1, 2, 3, 4, 5, 6]);
  const rows = tensor.rows(1, 2);
  t.deepEqual(
    [rows.shape, [...rows.data]],
    [
      [2, 2],
      [3, 4, 5, 6],
    ],
  );
  rows.data[0] = 9;
  t.is(tensor.data[2], 9);
  t.is(tensor.rows(3, 0).size, 0);
  for (const [start, count] of [
    [2, 2],
    [-1, 1],
    [0, Number.NaN],
  ])
    throwsCode(t, "E_SHAPE", () => tensor.rows(start, count), /no rows/);
  tensor.dispose();
  t.true(rows.disposed);
});

test("scratch tensors need an open step", async (t) => {
  const runtime = await Runtime.create();
  throwsCode(t, "E_STEP", () => runtime.scratch([2]));
  await runtime.step(async () => undefined);
  throwsCode(t, "E_STEP", () => runtime.scratch([2]));
});

test("a second open step is refused, and the first goes on", async (t) => {
  const runtime = await Runtime.create();
  const result = await runtime.step(async () => {
    const tensor = runtime.scratch([2]);
    await rejectsCode(
      t,
      "E_STEP",
      runtime.step(async () => t.fail("the body must not run")),
    );
    tensor.data[0] = 3;
    return tensor.data[0];
  });
  t.is(result, 3);
});

test("a step that fails hands on its error and closes", async (t) => {
  const runtime = await Runtime.create();
  let kept: Tensor | undefined;
  const failure = new Error("in the body");
  const error = await t.throwsAsync(
    runtime.step(async () => {
      kept = runtime.scratch([2]);
      throw failure;
    }),
  );
  t.is(error, failure);
  t.true(kept?.disposed);
  t.is(await runtime.step(async () => 5), 5);
});

test("two runtimes may have a step open each", async (t) => {
  const [one, other] = [await Runtime.create(), await Runtime.create()];
  t.is(await one.step(() => other.step(async () => one.scratch([2]).size + other.scratch([3]).size)), 5);
});

test("a closed runtime allocates nothing", async (t) => {
  const runtime = await Runtime.create();
  const parameter = runtime.tensor([2]);
  await runtime.close();
  await runtime.close();
  throwsCode(t, "E_DISPOSED", () => runtime.tensor([2]), /close\(\)/);
  throwsCode(t, "E_DISPOSED", () => runtime.scratch([2]));
  await rejectsCode(
    t,
    "E_DISPOSED",
    runtime.step(async () => 1),
  );
  t.is(parameter.data.length, 2, "parameters belong to their owners");
});

test("a shape that no memory can hold is refused with its bytes", async (t) => {
  const runtime = await Runtime.create();
  throwsCode(t, "E_MEMORY", () => runtime.tensor([2 ** 25, 2 ** 25]), /4503599627370496 bytes/);
  throwsCode(t, "E_SHAPE", () => runtime.tensor([-1]));
  await runtime.step(async () => {
    throwsCode(t, "E_MEMORY", () => runtime.scratch([2 ** 50]));
    t.is(runtime.scratch([3]).data.length, 3, "the arena is usable after that");
  });
});
