import { createRng } from "@tt-rec/tensor";
import { allClose, throwsCode } from "@tt-rec/testing";
import test from "ava";
import fc from "fast-check";
import { areaUnderCurve, BinaryMetricsCollector } from "../src/index.ts";

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
