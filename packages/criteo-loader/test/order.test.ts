import test from "ava";
import fc from "fast-check";
import { bisectRows } from "../src/order/bisect-rows.ts";
import { CooccurrenceSketch } from "../src/order/cooccurrence-sketch.ts";
import type { IdOrder } from "../src/order/id-order.ts";

type LearnedRows = Parameters<IdOrder>[0];

import { orthonormalize } from "../src/order/orthonormalize.ts";
import { principalDirection } from "../src/order/principal-direction.ts";
import { similarityOrder } from "../src/order/similarity-order.ts";
import { runs, testRandom } from "./support.ts";

function randomMatrix(rows: number, width: number, seed: number): Float32Array {
  const random = testRandom(seed);
  return Float32Array.from({ length: rows * width }, () => random() + random() - 1);
}

test("orthonormal columns are what their products say; a dependent column becomes 0", (t) => {
  const [rows, width] = [31, 5];
  const matrix = randomMatrix(rows, width, 1);
  for (let row = 0; row < rows; row++) matrix[row * width + 3] = matrix[row * width] - 2 * matrix[row * width + 1];
  orthonormalize(matrix, width);
  for (let a = 0; a < width; a++) {
    for (let b = 0; b < width; b++) {
      let product = 0;
      for (let row = 0; row < rows; row++) product += matrix[row * width + a] * matrix[row * width + b];
      t.true(Math.abs(product - (a === b && a !== 3 ? 1 : 0)) < 1e-6, `${a} ${b}: ${product}`);
    }
  }
});

test("the principal direction of points in the plane is that of the closed form", (t) => {
  const points = randomMatrix(47, 2, 2);
  for (let row = 0; row < 47; row++) points[2 * row + 1] += 0.7 * points[2 * row] + 5;
  const rows = Uint32Array.from({ length: 23 }, (_, i) => 2 * i);
  const mean = [0, 1].map((j) => rows.reduce((sum, row) => sum + points[2 * row + j], 0) / 23);
  const covariance = (a: number, b: number): number =>
    rows.reduce((sum, row) => sum + (points[2 * row + a] - mean[a]) * (points[2 * row + b] - mean[b]), 0);
  const angle = 0.5 * Math.atan2(2 * covariance(0, 1), covariance(0, 0) - covariance(1, 1));
  const direction = principalDirection(points, 2, rows);
  t.true(Math.abs(Math.abs(direction[0] * Math.cos(angle) + direction[1] * Math.sin(angle)) - 1) < 1e-9);
  t.deepEqual([...principalDirection(new Float32Array(6).fill(3), 2, new Uint32Array([0, 1, 2]))], [0, 0]);
});

test("an order along a tree is a permutation, whatever the shape", (t) => {
  const shape = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 2, maxLength: 4 });
  fc.assert(
    fc.property(shape, fc.nat({ max: 40 }), fc.nat({ max: 3 }), fc.nat(), (rowShape, rows, first, seed) => {
      const order = bisectRows(randomMatrix(rows, 3, seed), 3, rowShape, first);
      t.deepEqual(
        [...order].sort((a, b) => a - b),
        Array.from({ length: rows }, (_, row) => row),
      );
    }),
    { numRuns: runs(100, 3000) },
  );
});

test("rows that share a TT prefix come from one cluster, and those that share its first digit from one of clusters", (t) => {
  const rowShape = [3, 2, 5];
  const random = testRandom(4);
  // The first digit is told by large differences, the second by smaller ones.
  const centres = [-90, -30, 60].flatMap((x) => [-9, 8].map((y) => [x, y, 0]));
  const clusterOf = Array.from({ length: 30 }, (_, row) => Math.floor(((row * 7) % 30) / 5));
  const matrix = Float32Array.from(clusterOf.flatMap((cluster) => centres[cluster].map((x) => x + random())));
  const order = [...bisectRows(matrix, 3, rowShape, 0)].map((row) => clusterOf[row]);
  const prefixes = [0, 1, 2, 3, 4, 5].map((prefix) => [...new Set(order.slice(5 * prefix, 5 * prefix + 5))]);
  t.true(prefixes.every((clusters) => clusters.length === 1));
  for (const digit of [0, 2, 4]) t.is(prefixes[digit][0] >> 1, prefixes[digit + 1][0] >> 1);
  // A digit means the same behind different prefixes: all pairs of clusters go up, or all go down.
  t.is(new Set([0, 2, 4].map((digit) => prefixes[digit + 1][0] - prefixes[digit][0])).size, 1);
  // One index is taken, so the first prefix has room for a row less, and every later cut moves with it.
  const shifted = [...bisectRows(matrix.subarray(0, 3 * 14), 3, [3, 5], 1)];
  t.is(new Set(shifted.slice(0, 4).map((row) => matrix[3 * row] < 0)).size, 1);
  t.is(shifted.length, 14);
});

/** Rows of two id columns, the first with lists, in which ids of a group meet only those of the same group. */
function groupedRows(groups: number, size: number, rows: number, seed: number): { lists: number[][]; ids: number[] } {
  const random = testRandom(seed);
  const pick = (count: number): number => Math.floor(random() * count);
  const lists: number[][] = [];
  const ids: number[] = [];
  for (let row = 0; row < rows; row++) {
    const group = pick(groups);
    // Neighbouring indices are of different groups.
    const id = (): number => 1 + pick(size) * groups + group;
    lists.push(Array.from({ length: 1 + pick(3) }, id));
    ids.push(id());
  }
  return { lists, ids };
}

function learned({ lists, ids }: { lists: number[][]; ids: number[] }, indices: number, blockRows: number): LearnedRows {
  const counts = [lists.flat(), ids].map((column) => {
    const own = new Uint32Array(indices);
    for (const id of column) own[id]++;
    return own;
  });
  return {
    schema: { label: "y", dense: [], ids: ["a", "b"] },
    rows: ids.length,
    cardinalities: [indices, indices],
    dictionary: async (column) => ({ values: new Uint32Array(indices - 1), counts: counts[column] }),
    async *blocks() {
      for (let from = 0; from < ids.length; from += blockRows) {
        const part = lists.slice(from, from + blockRows);
        const offsets = new Uint32Array(part.length + 1);
        for (const [row, list] of part.entries()) offsets[row + 1] = offsets[row] + list.length;
        yield {
          rows: part.length,
          dense: new Float32Array(0),
          ids: [
            { words: Uint32Array.from(part.flat()), offsets },
            { words: Uint32Array.from(ids.slice(from, from + blockRows)) },
          ],
        };
      }
    },
  };
}

test("similar ids share a first digit: groups that never meet are told apart", async (t) => {
  const [groups, size] = [5, 8];
  const rows = groupedRows(groups, size, 3000, 7);
  // Index 41 and 43 are rare, 42 was not seen at all.
  rows.ids.push(43, 41);
  rows.lists.push([1], [1]);
  const order = similarityOrder({ rowShape: () => [groups + 1, size] });
  const permutations = await order(learned(rows, 44, 500));
  for (const [column, permutation] of permutations.entries()) {
    t.is(permutation?.[0], 0);
    t.deepEqual(
      [...(permutation ?? [])].toSorted((a, b) => a - b),
      Array.from({ length: 44 }, (_, index) => index),
    );
    t.deepEqual([...(permutation ?? [])].slice(41), [41, 42, 43]);
    const prefixes = Array.from({ length: groups + 1 }, () => new Array<number>(groups).fill(0));
    for (let index = 1; index <= groups * size; index++) {
      prefixes[Math.floor((permutation?.[index] ?? 0) / size)][(index - 1) % groups]++;
    }
    // Index 0 takes a place, so that cuts do not fall between groups; without an order this would be 18 of 40.
    const together = prefixes.reduce((sum, members) => sum + Math.max(...members), 0);
    t.true(together >= 0.75 * groups * size, `column ${column}: ${prefixes.join(" ")}`);
  }
  for (const blockRows of [1, 77, 5000]) t.deepEqual(await order(learned(rows, 44, blockRows)), permutations);
});

test("the minimum count is raised until the sketches have room", (t) => {
  const counts = [Uint32Array.of(99, 5, 1, 8, 3), Uint32Array.of(99, 2, 5, 6)];
  const idsFor = (minCount: number, maxIds: number): [number, number[], number[]] => {
    const sketch = new CooccurrenceSketch(counts, minCount, maxIds, 1);
    return [sketch.minCount, [...sketch.idsOf(0)], [...sketch.idsOf(1)]];
  };
  t.deepEqual(idsFor(1, 7), [1, [1, 2, 3, 4], [1, 2, 3]]);
  t.deepEqual(idsFor(3, 7), [3, [1, 3, 4], [2, 3]]);
  t.deepEqual(idsFor(1, 4), [4, [1, 3], [2, 3]]);
  t.deepEqual(idsFor(1, 3), [6, [3], [3]]);
  t.deepEqual(idsFor(1, 0), [9, [], []]);
});
