import { createRng } from "@tt-rec/tensor";
import test from "ava";
import fc from "fast-check";
import { resolveBags } from "../src/index.ts";
import { outputsOf, selectPositions } from "../src/lookup/lookup.ts";
import { buildPrefixTree } from "../src/lookup/prefix-tree.ts";
import { groupRows } from "../src/lookup/row-groups.ts";

const RUNS = process.env.TT_REC_LONG ? 5000 : 200;

const u32 = (...values: number[]): Uint32Array => Uint32Array.from(values);

test("an index at or above the number of embeddings is refused with both numbers", (t) => {
  const error = t.throws(() => resolveBags({ indices: u32(3, 12) }, "sum", 12), { code: "E_INDEX" });
  t.is(error.message, "indices[1] = 12 is not below the number of embeddings, 12");
});

test("offsets that do not partition the indices are refused, each with its rule", (t) => {
  const indices = new Uint32Array(12);
  const cases: [Uint32Array, string][] = [
    [u32(), "offsets is empty; it needs one entry more than there are bags"],
    [u32(1, 12), "offsets[0] = 1 is not 0"],
    [u32(0, 7, 5, 12), "offsets[2] = 5 is below offsets[1] = 7"],
    [u32(0, 3, 5, 17), "offsets[3] = 17 exceeds the number of indices, 12"],
    [u32(0, 5, 9), "offsets[2] = 9, the last, is not the number of indices, 12"],
  ];
  for (const [offsets, message] of cases) {
    const error = t.throws(() => resolveBags({ indices, offsets }, "sum", 100), { code: "E_OFFSETS" });
    t.is(error.message, message);
  }
});

test("weights that are too few or not finite are refused", (t) => {
  const indices = u32(1, 2);
  t.throws(() => resolveBags({ indices, weights: new Float32Array(3) }, "sum", 9), {
    code: "E_WEIGHTS",
    message: /3 weights for 2 indices/,
  });
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
    t.throws(() => resolveBags({ indices, weights: Float32Array.of(1, bad) }, "sum", 9), {
      code: "E_WEIGHTS",
      message: /weights\[1\]/,
    });
  }
});

test("arrays of another kind are refused, since a negative or fractional id would pass unseen", (t) => {
  const untyped = (value: unknown): never => value as never;
  t.throws(() => resolveBags({ indices: untyped([-1]) }, "sum", 9), { code: "E_INDEX" });
  t.throws(() => resolveBags({ indices: u32(1), offsets: untyped([0, 1]) }, "sum", 9), { code: "E_OFFSETS" });
  t.throws(() => resolveBags({ indices: u32(1), weights: untyped([1]) }, "sum", 9), { code: "E_WEIGHTS" });
});

test("mean divides by the number of ids, and the weights keep their derivative", (t) => {
  const bags = { indices: u32(5, 6, 7), offsets: u32(0, 2, 2, 3), weights: Float32Array.of(3, 4, 5) };
  const lookup = resolveBags(bags, "mean", 9);
  t.is(lookup.outputs, 3);
  t.deepEqual([...outputsOf(lookup)], [0, 0, 2]);
  t.deepEqual([...(lookup.coefficients ?? [])], [1.5, 2, 5]);
  t.deepEqual([...(lookup.weightFactors ?? [])], [0.5, 0.5, 1]);
});

test("without pooling there is one output an id, whatever the offsets", (t) => {
  const lookup = resolveBags({ indices: u32(4, 4), offsets: u32(0, 2) }, "none", 9);
  t.is(lookup.outputs, 2);
  t.deepEqual([...outputsOf(lookup)], [0, 1]);
});

test("bags of one id each are looked up as ids without bags are", (t) => {
  const weights = Float32Array.of(3, 4);
  for (const pooling of ["sum", "mean"] as const) {
    const lookup = resolveBags({ indices: u32(5, 6), offsets: u32(0, 1, 2), weights }, pooling, 9);
    t.deepEqual(lookup, resolveBags({ indices: u32(5, 6), weights }, pooling, 9));
    t.is(lookup.offsets, undefined);
    // As many bags as ids, but not one each.
    t.not(resolveBags({ indices: u32(5, 6), offsets: u32(0, 0, 2) }, pooling, 9).offsets, undefined);
  }
});

test("a selection of positions keeps their outputs and coefficients", (t) => {
  const bags = { indices: u32(5, 6, 7), offsets: u32(0, 2, 3), weights: Float32Array.of(3, 4, 5) };
  const selected = selectPositions(resolveBags(bags, "mean", 9), u32(1, 2));
  t.deepEqual([...selected.rows], [6, 7]);
  t.deepEqual([...outputsOf(selected)], [0, 1]);
  t.deepEqual([...(selected.coefficients ?? [])], [2, 5]);
});

test("groups are the distinct ids in rising order, each with its positions in batch order", (t) => {
  const ids = fc.array(fc.oneof(fc.nat(20), fc.integer({ min: 0, max: 0xfffffffe })), { maxLength: 60 });
  fc.assert(
    fc.property(ids, (list) => {
      const { uniqueRows, order, starts, groupOf } = groupRows(Uint32Array.from(list));
      const expected = [...new Set(list)].sort((a, b) => a - b);
      t.deepEqual([...uniqueRows], expected);
      for (const [group, row] of expected.entries()) {
        const positions = [...list.keys()].filter((p) => list[p] === row);
        t.deepEqual([...order.slice(starts[group], starts[group + 1])], positions);
      }
      t.deepEqual(
        [...groupOf],
        list.map((row) => expected.indexOf(row)),
      );
    }),
    { numRuns: RUNS },
  );
});

test("the prefix tree holds each distinct prefix once, and its path spells the row's digits", (t) => {
  const rng = createRng(7);
  for (let run = 0; run < RUNS / 4; run++) {
    const rowShape = [
      [11, 7],
      [5, 3, 7],
      [3, 7, 2, 5],
      [2, 3, 5, 7, 2],
    ][run % 4];
    const size = rowShape.reduce((a, b) => a * b, 1);
    const rows = groupRows(Uint32Array.from({ length: 1 + (run % 40) }, () => Math.floor(rng.uniform() * size))).uniqueRows;
    const levels = buildPrefixTree(rows, rowShape);
    t.is(levels[levels.length - 1].count, rows.length);
    for (const [u, row] of rows.entries()) {
      let node = u;
      let rest = row;
      for (let k = levels.length - 1; k >= 0; k--) {
        t.is(levels[k].digits[node], rest % rowShape[k]);
        rest = Math.floor(rest / rowShape[k]);
        node = levels[k].parents[node];
      }
    }
    let stride = size;
    for (const [k, { count, touched, segments, byDigit, digits }] of levels.entries()) {
      stride /= rowShape[k];
      t.is(count, new Set([...rows].map((row) => Math.floor(row / stride))).size);
      t.is(segments[touched.length], count);
      for (const [i, digit] of touched.entries()) {
        // In rising order, as sums over them must have one order.
        const expected = Array.from(digits.keys()).filter((node) => digits[node] === digit);
        t.deepEqual([...byDigit.slice(segments[i], segments[i + 1])], expected);
      }
    }
  }
});
