import { createRng, memoryDirectory } from "@tt-rec/tensor";
import test from "ava";
import { CHAIN, ID_COLUMNS, MISSING_GROUPS } from "../src/generator/column-table.ts";
import { plantModel, sigmoid } from "../src/generator/planted-model.ts";
import { createRowSource } from "../src/generator/row-source.ts";
import { zipfMandelbrot } from "../src/generator/zipf-mandelbrot.ts";
import { generateLog, prepare } from "../src/index.ts";
import { collect, scan, scanOracle, source } from "./support.ts";

async function text(rows: number, seed: number, scale?: number): Promise<string> {
  const options = scale === undefined ? { rows, seed } : { rows, seed, scale };
  return Buffer.concat(await collect(generateLog(options))).toString("latin1");
}

test("the same options give the same bytes, another seed others, and fewer rows a prefix", async (t) => {
  const log = await text(3000, 7);
  t.is(await text(3000, 7), log);
  t.is(await text(1111, 7), log.slice(0, log.split("\n", 1111).join("\n").length + 1));
  t.not(await text(3000, 8), log);
  t.not(await text(3000, 7, 0.5), log);
});

test("every row is one that the loader accepts, and a log can be prepared", async (t) => {
  const log = await text(2000, 3, 0.01);
  const oracle = scanOracle(log);
  t.deepEqual([oracle.rows.length, oracle.badRows], [2000, 0]);
  t.deepEqual(await scan(source(log)), oracle);
  const manifest = await prepare([{ name: "generated", chunks: () => generateLog({ rows: 2000, seed: 3 }) }], memoryDirectory());
  t.is(manifest.rows.train, 1715);
});

test("values are missing in groups, at the rates of Criteo Kaggle, and only I2 is negative", async (t) => {
  const rows = (await text(20_000, 5))
    .trimEnd()
    .split("\n")
    .map((row) => row.split("\t"));
  const grouped = new Set<number>();
  for (const { dense, ids, rate } of MISSING_GROUPS) {
    const columns = [...dense.map((column) => 1 + column), ...ids.map((column) => 14 + column)];
    for (const column of columns) grouped.add(column);
    const [first, ...others] = columns;
    t.true(
      rows.every((row) => others.every((column) => (row[column] === "") === (row[first] === ""))),
      `${columns}`,
    );
    const share = rows.filter((row) => row[first] === "").length / rows.length;
    t.true(Math.abs(share - rate) < 5 * Math.sqrt((rate * (1 - rate)) / rows.length), `${columns}: ${share}, not ${rate}`);
  }
  for (let column = 1; column < 40; column++) {
    if (!grouped.has(column))
      t.true(
        rows.every((row) => row[column] !== ""),
        `column ${column}`,
      );
    if (column === 2 || column > 13) continue;
    t.false(rows.some((row) => row[column].startsWith("-")));
  }
  const negative = rows.filter((row) => row[2].startsWith("-")).length / rows.length;
  t.true(negative > 0.09 && negative < 0.12, `${negative}`);
  t.deepEqual(new Set(rows.map((row) => row[2]).filter((value) => value.startsWith("-"))), new Set(["-1", "-2"]));
});

test("each id of the chain fixes the coarser ones, and coarser columns merge ids", async (t) => {
  const rows = (await text(30_000, 6))
    .trimEnd()
    .split("\n")
    .map((row) => row.split("\t"));
  for (let link = 1; link < CHAIN.length; link++) {
    const map = new Map<string, string>();
    for (const row of rows) {
      const [fine, coarse] = [row[14 + CHAIN[link - 1]], row[14 + CHAIN[link]]];
      t.is(map.get(fine) ?? coarse, coarse);
      map.set(fine, coarse);
    }
    t.true(new Set(map.values()).size < map.size);
  }
  const independent = new Set(rows.map((row) => `${row[14]} ${row[15]}`)).size;
  t.true(independent > new Set(rows.map((row) => row[14])).size);
});

test("distinct ids and the shares of the heads are near those of the real sample", (t) => {
  const rng = createRng(1);
  const rows = createRowSource(1, 1);
  const N = 137_139;
  const counts = CHAIN.map(() => new Map<number, number>());
  for (let i = 0; i < N; i++) {
    const { ranks } = rows.draw(rng);
    for (const [index, column] of CHAIN.entries()) counts[index].set(ranks[column], (counts[index].get(ranks[column]) ?? 0) + 1);
  }
  // Distinct values and the share of the 1000 most frequent ones, missing included, in 137,139 real rows.
  const real = [
    [61_764, 0.467],
    [56_397, 0.502],
    [52_250, 0.527],
    [46_382, 0.558],
    [32_223, 0.635],
    [14_596, 0.798],
  ];
  for (const [index, [distinct, share]] of real.entries()) {
    const sorted = [...counts[index].values()].sort((a, b) => b - a);
    const top = sorted.slice(0, 1000).reduce((sum, count) => sum + count, 0) / N;
    t.true(Math.abs(sorted.length / distinct - 1) < 0.2, `C${CHAIN[index] + 1}: ${sorted.length} distinct, not ${distinct}`);
    t.true(Math.abs(top - share) < 0.07, `C${CHAIN[index] + 1}: top 1000 have ${top}, not ${share}`);
  }
});

test("cardinalities scale, but for the small columns", (t) => {
  const laws = createRowSource(1, 0.01).laws.map(({ size }) => size);
  t.deepEqual(laws.slice(0, 9), [100, 100, 101312, 22026, 100, 23, 125, 100, 3]);
  t.deepEqual(
    createRowSource(1, 1).laws.map(({ size }) => size),
    ID_COLUMNS.map(({ ids }) => ids),
  );
});

test("a Zipf–Mandelbrot law agrees with plain sums, and its quantile inverts it", (t) => {
  for (const [size, exponent, shift] of [
    [3, 3, 0],
    [4096, 1, 2],
    [50_021, 1, 2],
    [50_021, 1.3, 5],
    [50_021, 0.7, 60],
  ]) {
    const law = zipfMandelbrot(size, exponent, shift);
    let total = 0;
    for (let rank = 1; rank <= size; rank++) total += (rank + shift) ** -exponent;
    let sum = 0;
    for (let rank = 1; rank <= size; rank++) {
      sum += (rank + shift) ** -exponent;
      if (rank % 97 !== 1) continue;
      t.true(Math.abs(law.cumulative(rank) - sum / total) < 1e-8);
      const middle = (law.cumulative(rank - 1) + law.cumulative(rank)) / 2;
      t.is(law.quantile(middle), rank);
    }
    t.is(law.quantile(0), 1);
    t.is(law.quantile(1 - 2 ** -53), size);
  }
});

/** Area under the ROC curve by ranks; scores have no ties. */
function auc(scores: number[], labels: number[]): number {
  const order = scores.map((_, index) => index).sort((a, b) => scores[a] - scores[b]);
  let rankSum = 0;
  for (const [rank, index] of order.entries()) rankSum += labels[index] * (rank + 1);
  const positives = labels.reduce((sum, label) => sum + label, 0);
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * (labels.length - positives));
}

test("the click rate is Criteo's, and ids tell far more about the label than numbers do", (t) => {
  for (const [seed, scale] of [
    [1, 1],
    [2, 0.01],
    [3, 0.001],
  ]) {
    const rows = createRowSource(seed, scale);
    const model = plantModel(seed, rows);
    const rng = createRng(seed, 1);
    const [logits, dense, labels]: number[][] = [[], [], []];
    for (let i = 0; i < 40_000; i++) {
      const row = rows.draw(rng);
      logits.push(model.logit(row));
      dense.push(model.denseLogit(row));
      labels.push(rng.uniform() < sigmoid(logits[i]) ? 1 : 0);
    }
    const rate = labels.reduce((sum, label) => sum + label, 0) / labels.length;
    const best = auc(logits, labels);
    const numbersOnly = auc(dense, labels);
    t.log(
      `seed ${seed}, scale ${scale}: click rate ${rate.toFixed(4)}, AUC ${best.toFixed(4)}, numbers only ${numbersOnly.toFixed(4)}`,
    );
    t.true(Math.abs(rate - 0.256) < 0.012);
    t.true(best > 0.77 && best < 0.82);
    t.true(numbersOnly > 0.58 && numbersOnly < 0.66);
  }
});

test("labels of a log follow the click rate", async (t) => {
  const { rows } = await scan(source(await text(20_000, 12, 0.01)));
  const rate = rows.filter(([label]) => label === 1).length / rows.length;
  t.true(Math.abs(rate - 0.256) < 0.015, `${rate}`);
});

test("options outside their range are refused at the call", (t) => {
  const bad = [{ rows: 0 }, { rows: 1.5 }, { seed: -1 }, { seed: 2 ** 32 }, { scale: 0 }, { scale: Number.NaN }, { scale: 101 }];
  for (const wrong of bad) t.throws(() => generateLog({ rows: 5, seed: 1, ...wrong }), { code: "E_OPTION" });
});
