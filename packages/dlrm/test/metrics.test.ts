import { createRng } from "@tt-rec/tensor";
import { allClose, throwsCode } from "@tt-rec/testing";
import test from "ava";
import fc from "fast-check";
import { areaUnderCurve, BinaryMetricsCollector, compareAreas } from "../src/index.ts";
import { AucHistogram } from "../src/metrics/auc-histogram.ts";
import { slicedMetrics } from "../src/metrics/sliced-metrics.ts";

const RUNS = process.env.TT_REC_LONG ? 2000 : 100;

const LABELS = [1, 0, 1, 0, 0, 1, 0, 1];
const SCORES = [0.9, 0.8, 0.7, 0.7, 0.4, 0.3, 0.3, 0.1];
const logit = (p: number): number => Math.log(p / (1 - p));

function metricsOf(labels: readonly number[], logits: readonly number[], pieces = [labels.length]) {
  const collector = new BinaryMetricsCollector();
  let start = 0;
  for (const size of pieces) {
    collector.add(Float32Array.from(labels.slice(start, start + size)), Float32Array.from(logits.slice(start, start + size)));
    start += size;
  }
  return collector.result();
}

/** The definition, pair by pair. */
function pairwise(labels: readonly number[], scores: readonly number[]): number {
  let [wins, pairs] = [0, 0];
  for (const [i, positive] of labels.entries()) {
    for (const [j, other] of labels.entries()) {
      if (positive !== 1 || other !== 0) continue;
      pairs++;
      wins += scores[i] > scores[j] ? 1 : scores[i] === scores[j] ? 0.5 : 0;
    }
  }
  return wins / pairs;
}

test("AUC of the worked example with ties is 0.4375, its cross-entropy 0.956188", (t) => {
  t.is(areaUnderCurve(LABELS, SCORES), 0.4375);
  const { auc, logLoss, rows, clickRate, accuracy } = metricsOf(LABELS, SCORES.map(logit));
  t.is(auc, 0.4375);
  t.true(Math.abs(logLoss - 0.956188) < 5e-7, String(logLoss));
  t.deepEqual({ rows, clickRate, accuracy }, { rows: 8, clickRate: 0.5, accuracy: 0.5 });
});

test("AUC is the share of pairs in the right order, ties counting half", (t) => {
  const samples = fc.array(fc.tuple(fc.constantFrom(0, 1), fc.integer({ min: -5, max: 5 })), { maxLength: 40 });
  fc.assert(
    fc.property(samples, (pairs) => {
      const [labels, scores] = [pairs.map(([label]) => label), pairs.map(([, score]) => score / 3)];
      const expected = pairwise(labels, scores);
      if (Number.isNaN(expected)) t.is(areaUnderCurve(labels, scores), Number.NaN);
      else t.true(Math.abs(areaUnderCurve(labels, scores) - expected) < 1e-12);
    }),
    { numRuns: RUNS },
  );
});

test("AUC does not change under a rising function of the score", (t) => {
  const rng = createRng(5);
  const labels: number[] = Array.from({ length: 500 }, () => (rng.uniform() < 0.3 ? 1 : 0));
  const logits = labels.map((label) => rng.normal() + label);
  t.is(
    areaUnderCurve(labels, logits),
    areaUnderCurve(
      labels,
      logits.map((z) => 1 / (1 + Math.exp(-z))),
    ),
  );
  t.is(areaUnderCurve(labels, labels), 1);
  t.is(
    areaUnderCurve(
      labels,
      labels.map((label) => -label),
    ),
    0,
  );
});

test("AUC is NaN where it is not defined: one class only, no samples, a score that is NaN", (t) => {
  t.is(areaUnderCurve([1, 1], [0, 1]), Number.NaN);
  t.is(areaUnderCurve([0, 0], [0, 1]), Number.NaN);
  t.is(areaUnderCurve([], []), Number.NaN);
  t.is(areaUnderCurve([0, 1, 1, 0], [1, 2, Number.NaN, 3]), Number.NaN);
  t.is(areaUnderCurve([0, 1], [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]), 1);
  const metrics = metricsOf([1, 1], [3, -3]);
  t.is(metrics.auc, Number.NaN);
  t.is(metrics.accuracy, 0.5);
});

test("metrics do not depend on the batches, and agree with their definition in float64", (t) => {
  const rng = createRng(9);
  // More than the collector's first block.
  const labels: number[] = Array.from({ length: 3001 }, () => (rng.uniform() < 0.25 ? 1 : 0));
  const logits = labels.map((label) => Math.fround(2 * rng.normal() + label - 1));
  const whole = metricsOf(labels, logits);
  t.deepEqual(metricsOf(labels, logits, [1, 1023, 1, 0, 1975, 1]), whole);
  const p = logits.map((z) => 1 / (1 + Math.exp(-z)));
  const loss = labels.reduce((sum, y, i) => sum - Math.log(y === 1 ? p[i] : 1 - p[i]), 0) / 3001;
  allClose(t, [whole.logLoss], [loss], 1e-12);
  t.is(whole.accuracy, labels.filter((y, i) => Math.round(p[i]) === y).length / 3001);
  t.is(whole.clickRate, labels.filter((y) => y === 1).length / 3001);
  allClose(t, [whole.auc], [pairwise(labels, logits)], 1e-12);
});

test("log-loss stays finite for logits whose probability rounds to 0 or 1", (t) => {
  t.is(metricsOf([1, 0], [-1000, 1000]).logLoss, 1000);
  t.is(metricsOf([1, 0], [1000, -1000]).logLoss, 0);
});

test("no samples give NaN, not an error", (t) => {
  const { rows, accuracy, auc, logLoss } = metricsOf([], []);
  t.deepEqual([rows, accuracy, auc, logLoss], [0, Number.NaN, Number.NaN, Number.NaN]);
});

test("labels and scores of different numbers are E_SHAPE", (t) => {
  throwsCode(t, "E_SHAPE", () => areaUnderCurve([0, 1], [1]), /1 scores for 2 labels/);
  throwsCode(t, "E_SHAPE", () => new BinaryMetricsCollector().add(new Float32Array(2), new Float32Array(3)), /3 logits for 2/);
});

test("precision, recall, F1, calibration and normalised entropy of a worked example", (t) => {
  const { precision, recall, f1, calibration, normalizedEntropy, logLoss } = metricsOf(LABELS, SCORES.map(logit));
  // Above 1/2: 0.9, 0.8, 0.7, 0.7, of which two are clicks; there are four clicks.
  t.deepEqual({ precision, recall, f1 }, { precision: 0.5, recall: 0.5, f1: 0.5 });
  // The probabilities sum to 4.2, the clicks to 4; the entropy of a coin with rate 1/2 is ln 2.
  allClose(t, [calibration, normalizedEntropy], [4.2 / 4, logLoss / Math.log(2)], 1e-7);
  const none = metricsOf([0, 1], [-1, -1]);
  t.is(none.precision, Number.NaN);
  t.deepEqual([none.recall, none.f1], [0, 0]);
});

/** 12 samples with ties; the values were computed by numpy in float64 from the definitions. */
const NUMPY = {
  labels: [1, 0, 0, 1, 0, 1, 0, 0, 1, 0, 0, 1],
  logits: [1.5, -0.25, 0.75, 0.75, -2, 3, 0.5, -1, -0.25, 1.5, -3, 0.125],
  auc: 0.7571428571428571,
  logLoss: 0.5810406524299122,
  normalizedEntropy: 0.8554864742094805,
  calibration: 1.28219327938684,
  precision: 0.5714285714285714,
  recall: 0.8,
  f1: 0.6666666666666666,
  accuracy: 0.6666666666666666,
};

test("all metrics are those that numpy computes", (t) => {
  const { labels, logits, ...expected } = NUMPY;
  const metrics = metricsOf(labels, logits);
  for (const [name, value] of Object.entries(expected)) {
    allClose(t, [metrics[name as keyof typeof expected]], [value], 1e-12);
  }
});

test("an AUC from counts is within its stated error, which shrinks with the bins and is 0 without shared bins", (t) => {
  const samples = fc.array(fc.tuple(fc.constantFrom(0, 1), fc.integer({ min: -200, max: 200 })), { minLength: 2, maxLength: 60 });
  fc.assert(
    fc.property(samples, fc.integer({ min: 2, max: 300 }), (pairs, bins) => {
      const histogram = new AucHistogram(bins);
      for (const [label, score] of pairs) histogram.add(label, score / 9);
      const { auc, error } = histogram.result();
      const exact = areaUnderCurve(
        pairs.map(([label]) => label),
        pairs.map(([, score]) => score / 9),
      );
      if (Number.isNaN(exact)) t.is(auc, Number.NaN);
      else t.true(Math.abs(auc - exact) <= error + 1e-12, `${auc} ${exact} ${error}`);
    }),
    { numRuns: RUNS },
  );
  const rng = createRng(3);
  const [coarse, fine] = [new AucHistogram(20), new AucHistogram(20_000)];
  for (let i = 0; i < 4000; i++) {
    const label = rng.uniform() < 0.3 ? 1 : 0;
    const logit = rng.normal() + label;
    coarse.add(label, logit);
    fine.add(label, logit);
  }
  t.true(fine.result().error < coarse.result().error / 100 && fine.result().error < 1e-3);
  const apart = new AucHistogram(2);
  apart.add(0, -1);
  apart.add(1, 1);
  t.deepEqual(apart.result(), { auc: 1, error: 0 });
  apart.add(1, Number.NaN);
  t.is(apart.result().auc, Number.NaN);
  throwsCode(t, "E_OPTION", () => new AucHistogram(1), /bins = 1/);
});

/** DeLong's variance of the difference by its definition: all pairs, two covariance matrices. */
function delongByPairs(labels: readonly number[], a: readonly number[], b: readonly number[]): number {
  const [pos, neg] = [1, 0].map((kind) => labels.flatMap((label, i) => (label === kind ? [i] : [])));
  const psi = (x: number, y: number): number => (x > y ? 1 : x === y ? 0.5 : 0);
  const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const v10 = [a, b].map((s) => pos.map((i) => mean(neg.map((j) => psi(s[i], s[j])))));
  const v01 = [a, b].map((s) => neg.map((j) => mean(pos.map((i) => psi(s[i], s[j])))));
  const cov = (x: number[], y: number[]): number =>
    mean(x.map((value, i) => (value - mean(x)) * (y[i] - mean(y)))) * (x.length / (x.length - 1));
  const part = (v: number[][], count: number): number => (cov(v[0], v[0]) + cov(v[1], v[1]) - 2 * cov(v[0], v[1])) / count;
  return part(v10, pos.length) + part(v01, neg.length);
}

test("the interval of a difference of two areas is DeLong's, with ties", (t) => {
  const rng = createRng(21);
  const labels: number[] = Array.from({ length: 83 }, (_, i) => (i % 3 === 0 ? 1 : 0));
  const noisy = (noise: number): number[] => labels.map((label) => Math.round(4 * (label + noise * rng.normal())) / 4);
  const [a, b] = [noisy(1), noisy(0.7)];
  const { first, second, difference, standardError, interval } = compareAreas(labels, [a], [b]);
  t.is(first, areaUnderCurve(labels, a));
  t.is(second, areaUnderCurve(labels, b));
  t.is(difference, second - first);
  allClose(t, [standardError], [Math.sqrt(delongByPairs(labels, a, b))], 1e-12);
  allClose(t, interval, [difference - 1.959963984540054 * standardError, difference + 1.959963984540054 * standardError], 1e-12);
  const same = compareAreas(labels, [a], [a]);
  t.deepEqual([same.difference, same.standardError], [0, 0]);
});

test("the interval covers the true difference about as often as it says", (t) => {
  const rng = createRng(8);
  let covered = 0;
  const trials = 400;
  for (let trial = 0; trial < trials; trial++) {
    // Two models of equal worth that share part of their errors: the true difference is 0.
    const labels: number[] = Array.from({ length: 150 }, () => (rng.uniform() < 0.4 ? 1 : 0));
    const shared = labels.map((label) => label + rng.normal());
    const [a, b] = [0, 1].map(() => shared.map((score) => score + 0.6 * rng.normal()));
    const [low, high] = compareAreas(labels, [a], [b]).interval;
    if (low <= 0 && high >= 0) covered++;
  }
  t.log(`${covered} of ${trials}`);
  t.true(covered / trials > 0.91 && covered / trials < 0.985);
});

test("several runs of a model are compared by their mean area", (t) => {
  const labels = [1, 0, 1, 0, 1, 0];
  const [a, b, c] = [
    [3, 1, 2, 2, 5, 0],
    [1, 2, 3, 0, 4, 4],
    [0, 1, 2, 3, 4, 5],
  ];
  const { first, second } = compareAreas(labels, [a], [b, c]);
  t.is(first, areaUnderCurve(labels, a));
  allClose(t, [second], [(areaUnderCurve(labels, b) + areaUnderCurve(labels, c)) / 2], 1e-15);
  throwsCode(t, "E_EMPTY", () => compareAreas([1, 0, 0], [[1, 2, 3]], [[1, 2, 3]]), /two samples of each class/);
  throwsCode(t, "E_SHAPE", () => compareAreas(labels, [], [a]));
  throwsCode(t, "E_SHAPE", () => compareAreas(labels, [[1]], [a]));
});

test("slices are the most frequent values and the rest, each with its own metrics", (t) => {
  const keys = Uint32Array.of(7, 7, 3, 3, 3, 9, 1, 9);
  const [labels, logits] = [Float32Array.from(LABELS), Float32Array.from(SCORES.map(logit))];
  const slices = slicedMetrics(keys, labels, logits, 2);
  t.deepEqual(
    slices.map(({ value, metrics: { rows, clickRate } }) => [value, rows, clickRate]),
    [
      [3, 3, 1 / 3],
      [7, 2, 0.5],
      [undefined, 3, 2 / 3],
    ],
  );
  t.is(slicedMetrics(keys, labels, logits, 4).length, 4);
  throwsCode(t, "E_SHAPE", () => slicedMetrics(new Uint32Array(1), labels, logits, 2));
});
