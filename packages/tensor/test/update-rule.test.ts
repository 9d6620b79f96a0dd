import { type UpdateRule, validateUpdateRule } from "@tt-rec/tensor";
import { allClose, throwsCode } from "@tt-rec/testing";
import test from "ava";
import { updateSlice } from "../src/update-rule.ts";

test("sgd follows the scaled gradient", (t) => {
  const weights = Float32Array.of(1, -2, 3);
  updateSlice({ kind: "sgd", learningRate: 0.5 }, weights, 0, Float32Array.of(2, 4, -6), 0, 3, undefined, 0);
  t.deepEqual([...weights], [0, -4, 6]);
  updateSlice({ kind: "sgd", learningRate: 0.5, scale: 0.25 }, weights, 0, Float32Array.of(8, 8, 8), 0, 3, undefined, 0);
  t.deepEqual([...weights], [-1, -5, 5]);
});

test("adagrad gives the reference's numbers over two steps of one gradient", (t) => {
  // Learning rate 0.1, eps 1e-10: the first step has the length 0.1, the second 0.1 / sqrt(2).
  const rule: UpdateRule = { kind: "adagrad", learningRate: 0.1, eps: 1e-10 };
  const weights = Float32Array.of(-3, 1, -1, 3);
  const state = new Float32Array(4);
  const gradient = Float32Array.of(17, -5, -250, 0.25);
  updateSlice(rule, weights, 0, gradient, 0, 4, state, 0);
  allClose(t, weights, [-3.1, 1.1, -0.9, 2.9], 1e-7);
  updateSlice(rule, weights, 0, gradient, 0, 4, state, 0);
  allClose(t, weights, [-3.170711, 1.170711, -0.829289, 2.829289], 2e-7);
  t.deepEqual([...state], [2 * 289, 2 * 25, 2 * 62500, 2 * 0.0625]);
});

test("adagrad adds eps to the root, and scales the gradient before it is squared", (t) => {
  const weights = Float32Array.of(1);
  const state = Float32Array.of(7);
  // g = 0.5 * 6 = 3, h = 7 + 9 = 16: the step is 2 * 3 / (4 + 2).
  updateSlice({ kind: "adagrad", learningRate: 2, eps: 2, scale: 0.5 }, weights, 0, Float32Array.of(6), 0, 1, state, 0);
  t.is(weights[0], 0);
  t.is(state[0], 16);
});

test("row-wise adagrad adds the mean of the scaled squares to its slice's one accumulator", (t) => {
  const weights = Float32Array.of(7, 1, 2, 7);
  const state = Float32Array.of(7, 3);
  // g = 0.5 · (2, 10) = (1, 5), h = 3 + (1 + 25) / 2 = 16: the step is 2 · g / (4 + 1).
  updateSlice(
    { kind: "rowWiseAdagrad", learningRate: 2, eps: 1, scale: 0.5 },
    weights,
    1,
    Float32Array.of(9, 2, 10),
    1,
    2,
    state,
    1,
  );
  allClose(t, weights, [7, 1 - 0.4, 2 - 2, 7], 1e-7);
  t.deepEqual([...state], [7, 16]);
  throwsCode(t, "E_OPTION", () =>
    updateSlice({ kind: "rowWiseAdagrad", learningRate: 1 }, weights, 0, Float32Array.of(1), 0, 1, undefined, 0),
  );
});

test("momentum gives the velocity's geometric sum", (t) => {
  const rule: UpdateRule = { kind: "momentum", learningRate: 0.5, momentum: 0.5, scale: 2 };
  const [weights, state] = [Float32Array.of(1), new Float32Array(1)];
  // v = 2, then 1 + 2 = 3: 1 − 0.5 · (2 + 3).
  for (let i = 0; i < 2; i++) updateSlice(rule, weights, 0, Float32Array.of(1), 0, 1, state, 0);
  t.deepEqual([weights[0], state[0]], [-1.5, 3]);
});

test("adam's first step has the length of the rate, whatever the gradient's", (t) => {
  const weights = Float32Array.of(7, 1, 1, 7);
  const state = new Float32Array(8);
  updateSlice({ kind: "adam", learningRate: 0.25, step: 1 }, weights, 1, Float32Array.of(1e-3, -300), 0, 2, state, 0);
  allClose(t, weights, [7, 0.75, 1.25, 7], 1e-4);
  allClose(t, state, [0, 1e-4, -30, 0, 0, 1e-9, 90, 0], 1e-6);
});

test("adagrad leaves a weight alone whose gradient has always been 0", (t) => {
  const weights = Float32Array.of(5);
  updateSlice({ kind: "adagrad", learningRate: 1 }, weights, 0, new Float32Array(1), 0, 1, new Float32Array(1), 0);
  t.is(weights[0], 5);
});

test("only the range changes; weights and accumulators share one offset, the gradient has its own", (t) => {
  for (const kind of ["sgd", "adagrad"] as const) {
    const weights = new Float32Array(7);
    const state = new Float32Array(7);
    const gradient = Float32Array.of(9, 1, 1, 9, 9);
    updateSlice({ kind, learningRate: 1 }, weights, 3, gradient, 1, 2, state, 0);
    t.deepEqual([...weights], [0, 0, 0, -1, -1, 0, 0], kind);
    t.deepEqual([...state], kind === "sgd" ? [0, 0, 0, 0, 0, 0, 0] : [0, 0, 0, 1, 1, 0, 0]);
    t.deepEqual([...gradient], [9, 1, 1, 9, 9]);
  }
});

test("adagrad without accumulators is refused before a weight changes", (t) => {
  const weights = Float32Array.of(1);
  throwsCode(t, "E_OPTION", () =>
    updateSlice({ kind: "adagrad", learningRate: 1 }, weights, 0, Float32Array.of(1), 0, 1, undefined, 0),
  );
  t.is(weights[0], 1);
});

test("a rule of an unknown kind or with bad numbers is refused with the number", (t) => {
  const bad: [unknown, RegExp][] = [
    [{ kind: "sgd", learningRate: Number.NaN }, /learningRate = NaN/],
    [{ kind: "sgd", learningRate: -0.1 }, /learningRate = -0\.1/],
    [{ kind: "adagrad", learningRate: Number.POSITIVE_INFINITY }, /learningRate = Infinity/],
    [{ kind: "adagrad", learningRate: 1, eps: -1 }, /eps = -1/],
    [{ kind: "adagrad", learningRate: 1, eps: 0 }, /eps = 0/],
    [{ kind: "adagrad", learningRate: 1, eps: Number.NaN }, /eps = NaN/],
    [{ kind: "rowWiseAdagrad", learningRate: 1, eps: 0 }, /eps = 0/],
    [{ kind: "sgd", learningRate: 1, scale: Number.NaN }, /scale = NaN/],
    [{ kind: "sgd", learningRate: "1" }, /learningRate = 1/],
    [{ kind: "momentum", learningRate: 1 }, /momentum = undefined/],
    [{ kind: "momentum", learningRate: 1, momentum: 1 }, /momentum = 1 is not at least 0 and below 1/],
    [{ kind: "adam", learningRate: 1 }, /step = undefined/],
    [{ kind: "adam", learningRate: 1, step: 0 }, /step = 0/],
    [{ kind: "adam", learningRate: 1, step: 1, beta1: 1 }, /beta1 = 1/],
    [{ kind: "adam", learningRate: 1, step: 1, beta2: -0.1 }, /beta2 = -0\.1/],
    [{ kind: "adam", learningRate: 1, step: 1, eps: 0 }, /eps = 0/],
    [{ kind: "lion", learningRate: 1 }, /"lion" is not known; known are sgd, momentum, adagrad, rowWiseAdagrad, adam/],
  ];
  for (const [rule, message] of bad) throwsCode(t, "E_OPTION", () => validateUpdateRule(rule as UpdateRule), message);
  for (const rule of [
    { kind: "sgd", learningRate: 0, scale: -1 },
    { kind: "adagrad", learningRate: 1, eps: 1e-30 },
  ] as const) {
    t.notThrows(() => validateUpdateRule(rule));
  }
});
