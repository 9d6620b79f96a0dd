/**
 * What the order of ids is worth to TT tables: ml-1m, two tables of 16 columns, uncompressed and as TT-cores after each
 * order. `npm run bench:id-order -- [--data FOLDER] [--seeds N] [--json FILE]`; the folder holds `ml-1m/interactions.tsv.gz`.
 */
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { alignColumns, describeMachine, describeSource, quantile } from "@tt-rec/testing";
import { ORDERS, prepareOrders } from "./prepared-orders.ts";
import { type Outcome, trainOnce } from "./train-once.ts";

const RANKS = [6, 8, 12];

const { values } = parseArgs({
  options: { data: { type: "string" }, seeds: { type: "string", default: "3" }, json: { type: "string" } },
});
const root = fileURLToPath(new URL("../../..", import.meta.url));
const data = resolve(values.data ?? process.env.TT_REC_DATA ?? `${root}/../shared/data`);
const seeds = Array.from({ length: Number(values.seeds) }, (_, index) => index + 1);
const folder = mkdtempSync(join(tmpdir(), "tt-rec-id-order-"));
const machine = describeMachine("off");
const commit = describeSource();

/** Trains with every seed, records the test metrics and returns the median log-loss: a bad start spoils a mean. */
async function measure(id: string, parameters: object, run: (seed: number) => Promise<Outcome>, gap?: (loss: number) => number) {
  const outcomes: Outcome[] = [];
  for (const seed of seeds) outcomes.push(await run(seed));
  const losses = outcomes.map(({ logLoss }) => logLoss);
  const [median, floats] = [quantile(losses, 0.5), outcomes[0].floats];
  const auc = quantile(
    outcomes.map((outcome) => outcome.auc),
    0.5,
  );
  const line = {
    ...{ id: `id-order/ml-1m/${id}`, case: { ...parameters, floats, auc }, engine: "wasm", phase: "test", unit: "log-loss" },
    ...{ median, p10: quantile(losses, 0.1), p90: quantile(losses, 0.9), runs: losses.length },
    ...{ ...(gap && { gapClosed: gap(median) }), machine, commit, date: new Date().toISOString() },
  };
  if (values.json !== undefined) appendFileSync(values.json, `${JSON.stringify(line)}\n`);
  const share = gap === undefined ? "" : `${(100 * gap(median)).toFixed(0)} %`;
  rows.push([id, String(floats), median.toFixed(5), auc.toFixed(5), share]);
  return median;
}

const rows: string[][] = [["tables", "floats", "test log-loss", "AUC", "of the gap closed"]];
try {
  const datasets = await prepareOrders(join(data, "ml-1m/interactions.tsv.gz"), folder);
  const train = (order: (typeof ORDERS)[number], ranks?: number) => (seed: number) => {
    const dataset = datasets.get(order);
    if (dataset === undefined) throw new Error(`${order} was not prepared`);
    return trainOnce(dataset, { ...(ranks !== undefined && { ranks }), seed, epochs: 4, optimizer: "adagrad" });
  };
  const uncompressed = await measure("uncompressed", {}, train("first-seen"));
  for (const ranks of RANKS) {
    let firstSeen: number | undefined;
    for (const order of ORDERS) {
      const worst = firstSeen;
      const gap = worst === undefined ? undefined : (loss: number) => (worst - loss) / (worst - uncompressed);
      const loss = await measure(`R${ranks}/${order}`, { ranks, order }, train(order, ranks), gap);
      firstSeen ??= loss;
    }
  }
  console.log(alignColumns(rows));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
