/**
 * Compares the initializers of TT-cores on real data: each with the learning rate that suits it best on the validation rows, the
 * test rows then. Prints a table; with --json FILE it also writes a JSON line a setting.
 */
import { appendFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { Runtime } from "@tt-rec/tensor";
import { alignColumns, describeMachine, describeSource } from "@tt-rec/testing";
import type { Initializer } from "@tt-rec/tt-math";
import { loadInteractions } from "./interactions.ts";
import { scoreTwoTowers } from "./two-towers.ts";

const { values } = parseArgs({
  options: {
    data: { type: "string", default: "ml-1m" },
    ranks: { type: "string", default: "8" },
    rates: { type: "string", default: "0.03,0.1,0.3,1" },
    seeds: { type: "string", default: "2" },
    epochs: { type: "string", default: "2" },
    json: { type: "string" },
  },
});

const SIGMA = 0.03;
const INITIALIZERS: Record<string, Initializer> = {
  "sampled-gaussian compat": { kind: "sampled-gaussian", scaling: "compat" },
  "sampled-gaussian matched": { kind: "sampled-gaussian", scaling: "variance-matched" },
  gaussian: { kind: "gaussian" },
  uniform: { kind: "uniform" },
  "approx-uniform": { kind: "approx-uniform" },
  [`sampled-gaussian matched, σ ${SIGMA}`]: { kind: "sampled-gaussian", scaling: "variance-matched", standardDeviation: SIGMA },
  [`gaussian, σ ${SIGMA}`]: { kind: "gaussian", standardDeviation: SIGMA },
  [`uniform, σ ${SIGMA}`]: { kind: "uniform", standardDeviation: SIGMA },
  [`approx-uniform, σ ${SIGMA}`]: { kind: "approx-uniform", standardDeviation: SIGMA },
};

// Node 20 has relaxed SIMD only behind this flag.
if (process.versions.node.startsWith("20.")) setFlagsFromString("--experimental-wasm-relaxed-simd");
const runtime = await Runtime.create({ threads: 2 });
const data = loadInteractions(values.data === "gowalla" ? "gowalla" : "ml-1m");
const rates = values.rates.split(",").map(Number);
const mean = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / list.length;
const table: string[][] = [["initializer", "best rate", "validation log-loss", "test log-loss", "± seeds", "test AUC"]];
if (values.json !== undefined) writeFileSync(values.json, "");
for (const [name, initializer] of Object.entries(INITIALIZERS)) {
  let best: { rate: number; validation: number; losses: number[]; auc: number } | undefined;
  for (const rate of rates) {
    const runs = [];
    for (let seed = 1; seed <= Number(values.seeds); seed++) {
      const run = await scoreTwoTowers(runtime, data, {
        embedding: { kind: "tt", ranks: Number(values.ranks), initializer },
        optimizer: { kind: "adagrad", learningRate: 0.05, ttLearningRate: rate },
        epochs: Number(values.epochs),
        seed,
      });
      if (run !== undefined) runs.push(run);
    }
    const validation = mean(runs.map((run) => run.validation.logLoss));
    if (values.json !== undefined) {
      const line = {
        id: "initializers",
        case: { data: data.name, initializer: name, rate, ranks: Number(values.ranks), epochs: Number(values.epochs) },
        validationLogLoss: runs.map((run) => run.validation.logLoss),
        testLogLoss: runs.map((run) => run.test.logLoss),
        testAuc: runs.map((run) => run.test.auc),
        machine: describeMachine("off"),
        commit: describeSource(),
        date: new Date().toISOString(),
      };
      appendFileSync(values.json, `${JSON.stringify(line)}\n`);
    }
    if (runs.length < Number(values.seeds) || validation >= (best?.validation ?? Number.POSITIVE_INFINITY)) continue;
    best = { rate, validation, losses: runs.map((run) => run.test.logLoss), auc: mean(runs.map((run) => run.test.auc)) };
  }
  if (best === undefined) continue;
  const spread = Math.max(...best.losses) - Math.min(...best.losses);
  table.push([
    name,
    String(best.rate),
    best.validation.toFixed(5),
    mean(best.losses).toFixed(5),
    (spread / 2).toFixed(5),
    best.auc.toFixed(5),
  ]);
  console.error(table.at(-1)?.join("  "));
}
console.log(alignColumns(table));
await runtime.close();
