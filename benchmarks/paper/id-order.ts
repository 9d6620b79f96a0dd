import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Runtime } from "@tt-rec/tensor";
import { quantile } from "@tt-rec/testing";
import { ORDERS, prepareOrders } from "../id-order/prepared-orders.ts";
import { type Outcome, type TwoTables, trainOnce } from "../id-order/train-once.ts";
import { barChart } from "./harness/charts.ts";
import { DATA_FOLDER, prepareCriteo } from "./harness/criteo-data.ts";
import { BATCH_SIZE, criteoModel, EMBEDDING_DIM, OPTIMIZER } from "./harness/criteo-model.ts";
import type { Claim, Figure, FigureContext, Line, Measurement } from "./harness/figure.ts";
import { countText } from "./harness/format.ts";
import { groupBy } from "./harness/group-by.ts";
import { runFigure } from "./harness/run-figure.ts";
import { trainModel } from "./harness/train-model.ts";
import { prefixesPerLookup } from "./id-order/prefix-reuse.ts";
import { scatterIds } from "./id-order/scatter-ids.ts";

/** Seeds and epochs of the two-table sets, and the ranks of each set. */
const SETTINGS = {
  tiny: { ranks: { criteo: [8] }, seeds: 1, epochs: 1 },
  quick: { ranks: { "ml-1m": [8], gowalla: [8, 24], criteo: [8, 16] }, seeds: 1, epochs: 2 },
  full: { ranks: { "ml-1m": [6, 8, 12, 16], gowalla: [8, 12, 16, 24], criteo: [4, 8, 16, 32] }, seeds: 3, epochs: 4 },
} as const;
const OPTIMIZERS = { "ml-1m": "adagrad", gowalla: "adam" } as const;
type InteractionSet = keyof typeof OPTIMIZERS;
const TT_TABLES = 7;
const TWO_TABLE_BATCH = 1024;
/** Differences in log-loss below this are those between seeds. */
const LEAST_GAP = 0.003;
const UNCOMPRESSED = "uncompressed";

/** The order of ids that TT tables want. */
const figure: Figure = {
  name: "id-order",
  title: "Id order",
  deck: "rows that share a prefix share TT-cores, so the numbering of ids matters; the deck does not look into it.",
  async *measure(context) {
    const { ranks } = SETTINGS[context.mode];
    if ("gowalla" in ranks) for (const set of ["ml-1m", "gowalla"] as const) yield* measureInteractions(set, ranks[set], context);
    yield* measureCriteo(context);
  },
  page: (lines) => ({
    charts: [...groupBy(lines, ({ case: { set } }) => String(set))].map(([set, own]) => ({
      name: set,
      caption: `${set}: log-loss on the test rows at the lowest rank; less is better.`,
      spec: barChart(
        own
          .filter(({ case: { ranks } }) => ranks === 0 || ranks === lowestRank(own))
          .map(({ case: { order }, median }) => ({ order: String(order), logLoss: median })),
        "order",
        { field: "logLoss", title: "log-loss", zero: false, format: ".4f" },
      ),
    })),
    tables: [...groupBy(lines, ({ case: { set } }) => String(set))].map(([set, own]) => ({
      caption: `${set}: ${own[0].data}`,
      head: ["order", "R", "floats", "log-loss", "AUC", "of the gap closed", "distinct prefixes a lookup", "ms a step"],
      rows: own.map((line) => [
        ...[String(line.case.order), line.case.ranks === 0 ? "" : String(line.case.ranks), countText(line.also.floats)],
        ...[line.median.toFixed(5), line.also.auc.toFixed(5), gapText(line, own)],
        ...[line.also.prefixes === undefined ? "" : line.also.prefixes.toFixed(3), line.also.stepMs.toFixed(2)],
      ]),
    })),
    text: [
      "Random is what hashing does to ids, without its collisions. Similarity bisects a sketch of what an id occurs together with in the training rows, never of \
labels. The gap is that between first-seen order and the uncompressed tables at the same rank. Floats are those of the tables in question. Steps are wall \
times: compare them on an idle machine only.",
      "The default of `prepare` stays first-seen: similarity takes about three times its processor time, gains nothing on Criteo's sample, and shares fewer \
prefixes in a batch. Where ids recur, as in interactions, ask for it.",
    ],
    claims: claims(lines),
  }),
};

async function* measureInteractions(
  set: InteractionSet,
  allRanks: readonly number[],
  context: FigureContext,
): AsyncGenerator<Measurement> {
  const path = join(DATA_FOLDER, set, "interactions.tsv.gz");
  if (!existsSync(path)) {
    context.progress(`${set} is not in TT_REC_DATA`);
    return;
  }
  const { epochs, seeds } = SETTINGS[context.mode];
  const optimizer = OPTIMIZERS[set];
  const folder = mkdtempSync(join(tmpdir(), "tt-rec-paper-"));
  try {
    const datasets: [string, TwoTables][] = [...(await prepareOrders(path, folder))];
    const [[, firstSeen]] = datasets;
    datasets.unshift(["random", scatterIds(firstSeen, context.seed)]);
    const rows = countText(firstSeen.rows("train") + firstSeen.rows("validation") + firstSeen.rows("test"));
    const data = `${set}: ${rows} rows, a random tenth for the test, ${epochs} epochs by ${optimizer === "adam" ? "Adam" : "Adagrad"}, the best by validation`;
    const run = async (source: TwoTables, order: string, ranks: number): Promise<Measurement> => {
      const outcomes: Outcome[] = [];
      for (let i = 0; i < seeds; i++) {
        outcomes.push(await trainOnce(source, { ...(ranks > 0 && { ranks }), seed: context.seed + i, epochs, optimizer }));
      }
      return measurement(
        set,
        order,
        ranks,
        data,
        outcomes,
        ranks === 0 ? undefined : await prefixesPerLookup(source, TWO_TABLE_BATCH, 2),
      );
    };
    yield await run(firstSeen, UNCOMPRESSED, 0);
    for (const ranks of allRanks) for (const [order, source] of datasets) yield await run(source, order, ranks);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function* measureCriteo(context: FigureContext): AsyncGenerator<Measurement> {
  const { ranks: setRanks, seeds } = SETTINGS[context.mode];
  const runtime = await Runtime.create({ threads: 1 });
  for (const order of [UNCOMPRESSED, "random", ...ORDERS] as const) {
    const idOrder = order === UNCOMPRESSED || order === "random" ? "first-seen" : order;
    const { dataset, name, remove } = await prepareCriteo(context, { idOrder });
    const source = order === "random" ? scatterIds(dataset, context.seed) : dataset;
    const count = order === UNCOMPRESSED ? 0 : TT_TABLES;
    for (const ranks of count === 0 ? [0] : setRanks.criteo) {
      const config = criteoModel(dataset, count, () => ({ kind: "tt", ranks }));
      const outcomes: Outcome[] = [];
      for (let i = 0; i < Math.max(seeds, context.mode === "quick" ? 3 : 1); i++) {
        const training = { config, optimizer: OPTIMIZER, batchSize: BATCH_SIZE, epochs: 1, seed: context.seed + i };
        const { metrics, bytes, stepMs } = await trainModel(runtime, source, training);
        const others = [...dataset.cardinalities].sort((a, b) => b - a).slice(TT_TABLES);
        const floats = bytes / 4 - EMBEDDING_DIM * others.reduce((a, b) => a + b, 0);
        outcomes.push({ logLoss: metrics.logLoss, auc: metrics.auc, floats, stepMs });
      }
      const prefixes = count === 0 ? undefined : await prefixesPerLookup(source, BATCH_SIZE, TT_TABLES);
      yield measurement("criteo", order, ranks, name, outcomes, prefixes);
    }
    remove();
  }
  await runtime.close();
}

function measurement(
  set: string,
  order: string,
  ranks: number,
  data: string,
  outcomes: readonly Outcome[],
  prefixes: number | undefined,
): Measurement {
  const median = (of: (outcome: Outcome) => number): number => quantile(outcomes.map(of), 0.5);
  return {
    id: `${set}/${order}${ranks === 0 ? "" : `/R${ranks}`}`,
    case: { set, order, ranks },
    ...{ engine: "wasm-relaxed", phase: "test", unit: "log-loss", values: outcomes.map(({ logLoss }) => logLoss), data },
    also: {
      ...{ auc: median(({ auc }) => auc), floats: outcomes[0].floats, stepMs: median(({ stepMs }) => stepMs) },
      ...(prefixes !== undefined && { prefixes }),
    },
  };
}

function lowestRank(own: readonly Line[]): number {
  return Math.min(...own.map(({ case: { ranks } }) => Number(ranks) || Number.POSITIVE_INFINITY));
}

/** Share of the gap between first-seen order and the uncompressed tables that an order closes; NaN where there is hardly one. */
function gapClosed(line: Line, own: readonly Line[]): number {
  const find = (order: string, ranks: unknown): number =>
    own.find(({ case: c }) => c.order === order && c.ranks === ranks)?.median ?? Number.NaN;
  const firstSeen = find("first-seen", line.case.ranks);
  const gap = firstSeen - find(UNCOMPRESSED, 0);
  return gap < LEAST_GAP ? Number.NaN : (firstSeen - line.median) / gap;
}

function gapText(line: Line, own: readonly Line[]): string {
  const { order } = line.case;
  if (order === UNCOMPRESSED || order === "first-seen") return "";
  const share = gapClosed(line, own);
  return Number.isNaN(share) ? "no gap" : `${(100 * share).toFixed(0)} %`;
}

function claims(lines: readonly Line[]): Claim[] {
  return [...groupBy(lines, ({ case: { set } }) => String(set))]
    .filter(([set]) => set !== "criteo")
    .map(([set, own]) => {
      const similar = own.filter(({ case: { order } }) => order === "similarity");
      const shares = similar.map((line) => gapClosed(line, own));
      return {
        deck: `(not in the deck) similarity order closes half of the gap on ${set}`,
        ours: shares.map((share, i) => `${(100 * share).toFixed(0)} % at R = ${similar[i].case.ranks}`).join(", "),
        verdict: shares.every((share) => share >= 0.5) ? "reached" : "not reached",
        reason:
          "share of the gap in log-loss to the uncompressed tables; the order learns from what occurs together in training rows and never sees labels. On the Criteo sample, where most ids occur once, there is no gap to close",
      };
    });
}

await runFigure(figure);
