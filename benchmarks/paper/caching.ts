import { cachedTraining } from "./caching/cached-training.ts";
import { crossover } from "./caching/crossover.ts";
import { stability } from "./caching/stability.ts";
import { lineChart } from "./harness/charts.ts";
import { prepareCriteo } from "./harness/criteo-data.ts";
import type { Claim, Figure, Line, PageTable } from "./harness/figure.ts";
import { bytesText } from "./harness/format.ts";
import { groupBy } from "./harness/group-by.ts";
import { runFigure } from "./harness/run-figure.ts";

/** Difference of hit rates that is worth a word. */
const NOTICEABLE = 0.005;
/** Share of the final set from which on it counts as stable. */
const STABLE = 0.9;

/** What a cache of hot rows is worth. */
const figure: Figure = {
  name: "caching",
  title: "Caching",
  deck: "the 10,000 rows accessed most are stable after 50 % (Kaggle) or 10 % (Terabyte) of the training data; TT with a cache is as fast as the uncompressed \
table at a hit rate of 90 %; 0.01 % of the table's memory is enough; a longer warm-up costs more at first and hits more afterwards.",
  async *measure(context) {
    yield* crossover(context);
    const { dataset, name, remove } = await prepareCriteo(context);
    try {
      yield* stability(dataset, name);
      yield* cachedTraining(dataset, name, context);
    } finally {
      remove();
    }
  },
  page: (lines) => ({
    charts: [
      {
        name: "stability",
        caption: "Share of the finally most-accessed rows that were among the most-accessed already, as training rows go by.",
        spec: lineChart({
          data: part(lines, "stability").map(({ case: { table, seen }, median }) => ({
            ...{ table: String(table), seen: 100 * Number(seen), share: 100 * median },
          })),
          x: { field: "seen", title: "training rows seen, %" },
          y: { field: "share", title: "of the final set, %" },
          ...{ series: "table", level: 100 * STABLE },
        }),
      },
      {
        name: "crossover",
        caption: "Processor time of a step in one table against the hit rate, relative to our uncompressed table (dashed).",
        spec: lineChart({
          data: part(lines, "crossover")
            .filter(({ case: { name } }) => name !== "uncompressed")
            .map(({ case: { name, hitRate }, also }) => ({
              embedding: String(name),
              hitRate: 100 * Number(hitRate),
              times: also.timesSlower,
            })),
          x: { field: "hitRate", title: "hit rate, %" },
          y: { field: "times", title: "times the uncompressed step" },
          ...{ series: "embedding", level: 1 },
        }),
      },
      {
        name: "size",
        caption: "Hit rate by the share of rows that is cached, over the whole training with its warm-up.",
        spec: lineChart({
          data: part(lines, "size")
            .filter(({ case: { share } }) => Number(share) > 0)
            .map(({ case: { policy, share }, also }) => ({
              policy: String(policy),
              share: 100 * Number(share),
              hitRate: 100 * also.hitRate,
            })),
          x: { field: "share", title: "rows cached, %", scale: "log" },
          y: { field: "hitRate", title: "hit rate, %" },
          series: "policy",
        }),
      },
    ],
    tables: [crossoverTable(lines), sizeTable(lines), warmupTable(lines)],
    text: [
      "The set that is followed has at most 10,000 rows and at most half of those that occur; in a sample many of them occur as often as rows outside it, and the set \
is arbitrary there.",
      "Under `semi-dynamic`, the paper's policy, a refresh loads all cached rows anew from the cores, and what they had learned is lost; under `resident`, the default, \
rows that stay keep their values.",
    ],
    claims: claims(lines),
  }),
};

function part(lines: readonly Line[], name: string): Line[] {
  return lines.filter(({ case: c }) => c.part === name);
}

function crossoverTable(lines: readonly Line[]): PageTable {
  const byRate = groupBy(part(lines, "crossover"), ({ case: { hitRate } }) => String(hitRate));
  const names = [...new Set(part(lines, "crossover").map(({ case: { name } }) => String(name)))];
  return {
    caption: "Processor time of a step, ms (times the uncompressed one)",
    head: ["hit rate", ...names],
    rows: [...byRate].map(([rate, own]) => [
      `${Math.round(100 * Number(rate))} %`,
      ...own.map(({ case: { name }, median, also }) =>
        name === "uncompressed" ? median.toFixed(3) : `${median.toFixed(3)} (${also.timesSlower.toFixed(2)}x)`,
      ),
    ]),
  };
}

function sizeTable(lines: readonly Line[]): PageTable {
  return {
    caption: "Cache size: 7 TT tables at R = 16, medians over seeds",
    head: ["rows cached", "policy", "hit rate", "accuracy", "AUC", "ms a step", "embeddings"],
    rows: part(lines, "size").map(({ case: { share, policy }, median, also }) => [
      ...[`${(100 * Number(share)).toPrecision(1)} %`, String(policy), `${(100 * also.hitRate).toFixed(1)} %`],
      ...[median.toFixed(4), also.auc.toFixed(4), also.stepMs.toFixed(2), bytesText(also.bytes)],
    ]),
  };
}

function warmupTable(lines: readonly Line[]): PageTable {
  return {
    caption: "Length of the warm-up: 1 % of the rows cached, policy resident",
    head: ["warm-up, share of the epoch", "hit rate, warm-up included", "hit rate after it", "accuracy", "AUC", "ms a step"],
    rows: part(lines, "warmup").map(({ case: { warmup }, median, also }) => [
      ...[
        `${Math.round(100 * Number(warmup))} %`,
        `${(100 * also.hitRate).toFixed(1)} %`,
        `${((100 * also.hitRate) / (1 - Number(warmup))).toFixed(1)} %`,
      ],
      ...[median.toFixed(4), also.auc.toFixed(4), also.stepMs.toFixed(2)],
    ]),
  };
}

/** Between which measured hit rates a cached bag passes an uncompressed one. */
interface Crossover {
  readonly name: string;
  /** The smallest rate from which it is not slower; absent: none. */
  readonly from: number | undefined;
  /** The largest at which it is; absent: none. */
  readonly slower: number | undefined;
}

const CROSSOVER_NOTE =
  "one table, one thread; the largest measured hit rate at which the cached step is slower, and the smallest from which it is not";

function crossoversWith(lines: readonly Line[], times: "timesSlower" | "timesTorch"): Crossover[] {
  const cached = part(lines, "crossover").filter(
    ({ case: { name }, also }) => String(name).startsWith("cached") && times in also,
  );
  return [...groupBy(cached, ({ case: { name } }) => String(name))].map(([name, own]) => {
    const slower = own.findLast(({ also }) => also[times] > 1)?.case.hitRate;
    const from = own.find(({ case: { hitRate } }) => slower === undefined || Number(hitRate) > Number(slower))?.case.hitRate;
    return { name, from: from === undefined ? from : Number(from), slower: slower === undefined ? slower : Number(slower) };
  });
}

function crossoverText(crossovers: readonly Crossover[]): string {
  const between = ({ from, slower }: Crossover): string => {
    if (slower === undefined) return "faster at every hit rate";
    return from === undefined ? "never" : `${percent(slower)} to ${percent(from)}`;
  };
  return crossovers.map((each) => `${each.name}: ${between(each)}`).join("; ");
}

function earlyVerdict(crossovers: readonly Crossover[]): Claim["verdict"] {
  return crossovers.some(({ from }) => from !== undefined && from <= 0.9) ? "reached" : "not reached";
}

function percent(share: unknown): string {
  return `${Math.round(100 * Number(share))} %`;
}

function claims(lines: readonly Line[]): Claim[] {
  const [own, torch] = [crossoversWith(lines, "timesSlower"), crossoversWith(lines, "timesTorch")];
  const stable = [...groupBy(part(lines, "stability"), ({ case: { table } }) => String(table))].map(
    ([table, own]) => `${table} ${Math.round(100 * Number(own.find(({ median }) => median >= STABLE)?.case.seen))} %`,
  );
  const [none, ...sizes] = part(lines, "size");
  const hit = sizes.find(({ case: { share, policy } }) => share === 0.0001 && policy === "resident") as Line;
  const warmups = part(lines, "warmup");
  const rateAfter = ({ case: { warmup }, also }: Line): number => also.hitRate / (1 - Number(warmup));
  return [
    {
      deck: "the top 10k rows are stable after 50 % of Kaggle, 10 % of Terabyte",
      ours: `${100 * STABLE} % of the final set after: ${stable.join(", ")}`,
      verdict: "not tested",
      reason: `on ${part(lines, "stability")[0].data}; the deck's curve needs all 45.8 M rows`,
    },
    {
      deck: "with the cache TT crosses the uncompressed table at a hit rate of 90 %",
      ours: `against PyTorch's nn.EmbeddingBag: ${crossoverText(torch)}`,
      verdict: torch.length === 0 ? "not tested" : earlyVerdict(torch),
      reason: torch.length === 0 ? "no PyTorch was there" : `the deck's rival, here on a processor; ${CROSSOVER_NOTE}`,
    },
    {
      deck: "the same, against the fastest uncompressed table there is",
      ours: `against our own: ${crossoverText(own)}`,
      verdict: earlyVerdict(own),
      reason: CROSSOVER_NOTE,
    },
    {
      deck: "0.01 % of the memory is enough",
      ours: `${(100 * hit.also.hitRate).toFixed(1)} % hits, ${hit.also.stepMs.toFixed(2)} ms a step against ${none.also.stepMs.toFixed(2)} without`,
      verdict: hit.also.stepMs < none.also.stepMs ? "reached" : "not reached",
      reason: `on ${hit.data}: 0.01 % of these tables are a few rows`,
    },
    {
      deck: "a longer warm-up hits more afterwards",
      ours: warmups
        .map((line) => `${Math.round(100 * Number(line.case.warmup))} %: ${(100 * rateAfter(line)).toFixed(1)} %`)
        .join("; "),
      verdict: rateAfter(warmups[warmups.length - 1]) - rateAfter(warmups[0]) > NOTICEABLE ? "reached" : "not reached",
      reason: "warm-up as a share of the epoch, and hits after it; refreshes go on in all cases",
    },
  ];
}

await runFigure(figure);
