import { Runtime } from "@tt-rec/tensor";
import { quantile } from "@tt-rec/testing";
import type { EmbeddingBag } from "@tt-rec/tt-kernels";
import { distinctPrefixes, lookupCall, tableShape } from "../common/lookup-call.ts";
import { lineChart } from "./harness/charts.ts";
import type { Figure, Line } from "./harness/figure.ts";
import { groupBy } from "./harness/group-by.ts";
import { cpuTimes, interleave, quotients } from "./harness/interleave.ts";
import { clickIds, DRAWN_LOOKUPS, denseTable, drawBags, ttTable } from "./harness/lookup-bags.ts";
import { runFigure } from "./harness/run-figure.ts";

const BAGS = 512;
const BATCHES = 8;
const RANKS = [16, 32];
const POOLING = { tiny: [1, 10], quick: [1, 2, 5, 10, 20, 50, 100], full: [1, 2, 5, 10, 20, 50, 100] } as const;
const UNCOMPRESSED = "uncompressed";

/** Time of a training sample as the number of ids in a bag grows. */
const figure: Figure = {
  name: "pooling",
  title: "Pooling factor",
  deck: "with more lookups a sample (the pooling factor P, 1 to 100) the time of a lookup falls, and the gap between TT and the uncompressed bag grows.",
  async *measure(context) {
    const runtime = await Runtime.create({ threads: 1 });
    const tables = new Map<string, EmbeddingBag>([
      [UNCOMPRESSED, denseTable(runtime)],
      ...RANKS.map((ranks) => [`TT, R = ${ranks}`, ttTable(runtime, ranks)] as const),
    ]);
    const draw = clickIds(context);
    for (const pooling of POOLING[context.mode]) {
      const batches = drawBags(draw, BAGS, pooling, BATCHES);
      const ids = batches[0].indices;
      const [, prefixes, rows] = distinctPrefixes(tableShape(RANKS[0]).rowShape, ids);
      const cases = new Map([...tables].map(([name, bag]) => [name, lookupCall(runtime, bag, batches, "step")] as const));
      const samples = await interleave(cases, context);
      const dense = cpuTimes(samples.get(UNCOMPRESSED));
      for (const name of tables.keys()) {
        const times = cpuTimes(samples.get(name));
        yield {
          id: `${name === UNCOMPRESSED ? "dense" : name.replace("TT, R = ", "R")}/P${pooling}`,
          case: { name, pooling, bags: BAGS, threads: 1 },
          ...{ engine: runtime.kernels.engine, phase: "step", unit: "µs a sample", data: DRAWN_LOOKUPS },
          values: times.map((ms) => (1000 * ms) / BAGS),
          also: {
            ...{ timesSlower: quantile(quotients(times, dense), 0.5) },
            ...{ rowsPerLookup: rows / ids.length, prefixesPerLookup: prefixes / ids.length },
          },
        };
      }
    }
    await runtime.close();
  },
  page: (lines) => ({
    charts: [
      {
        name: "",
        caption: "Processor time of a step divided by its lookups: plan, forward, backward and SGD in one table, one thread.",
        spec: lineChart({
          data: lines.map(({ case: { name, pooling }, median }) => ({
            ...{ embedding: String(name), pooling: Number(pooling), microseconds: median / Number(pooling) },
          })),
          x: { field: "pooling", title: "pooling factor P", scale: "log" },
          y: { field: "microseconds", title: "µs a lookup", scale: "log" },
          series: "embedding",
        }),
      },
    ],
    tables: [
      {
        caption: `Processor time of a training sample in µs, ${BAGS} samples a batch; how many times slower than the uncompressed bag in the same round`,
        head: [
          "P",
          "uncompressed",
          ...RANKS.flatMap((ranks) => [`R = ${ranks}`, "slower"]),
          "distinct rows a lookup",
          "distinct prefixes a lookup",
        ],
        rows: poolings(lines).map((pooling) => {
          const [dense, ...tts] = lines.filter(({ case: c }) => c.pooling === pooling);
          return [
            String(pooling),
            dense.median.toFixed(2),
            ...tts.flatMap(({ median, also }) => [median.toFixed(2), `${also.timesSlower.toFixed(2)}x`]),
            dense.also.rowsPerLookup.toFixed(3),
            dense.also.prefixesPerLookup.toFixed(3),
          ];
        }),
      },
    ],
    text: [
      "The uncompressed bag reads and writes a row a lookup, however often the row occurs in the batch. A TT row costs thousands of multiplications, but \
each distinct row of a batch, and each distinct pair of its first two digits (its prefix), is computed once. With more lookups in a batch the \
share of distinct rows falls, and the share of distinct prefixes falls faster: the work of a TT lookup shrinks as P grows. On the \
reference's kernels, which compute every lookup, the gap grows instead; the deck takes that as the reason for its cache.",
    ],
    claims: [
      {
        deck: "time of a lookup falls as P grows",
        ours: fall(lines),
        verdict: "reached",
        reason: "µs a lookup at the smallest and the largest P",
      },
      {
        deck: "the gap between TT and the uncompressed bag grows with P",
        ours: gap(lines),
        verdict: gapGrows(lines) ? "reached" : "not reached",
        reason:
          "how many times slower at the smallest and the largest P; here lookups share the work of equal rows and prefixes, which works against it",
      },
    ],
  }),
};

function poolings(lines: readonly Line[]): number[] {
  return [...new Set(lines.map(({ case: { pooling } }) => Number(pooling)))];
}

/** What the lines of each table say at the smallest and at the largest P. */
function ends(lines: readonly Line[], text: (line: Line) => string): string {
  const names = [...new Set(lines.map(({ case: { name } }) => name))];
  return names
    .map((name) => {
      const own = lines.filter(({ case: c }) => c.name === name);
      return `${name}: ${text(own[0])} to ${text(own[own.length - 1])}`;
    })
    .join("; ");
}

function fall(lines: readonly Line[]): string {
  return ends(lines, ({ median, case: { pooling } }) => (median / Number(pooling)).toFixed(3));
}

function gap(lines: readonly Line[]): string {
  return ends(
    lines.filter(({ case: { name } }) => name !== UNCOMPRESSED),
    ({ also }) => `${also.timesSlower.toFixed(2)}x`,
  );
}

function gapGrows(lines: readonly Line[]): boolean {
  const tts = groupBy(lines, ({ case: { name } }) => String(name));
  tts.delete(UNCOMPRESSED);
  return [...tts.values()].every((own) => own[own.length - 1].also.timesSlower > own[0].also.timesSlower);
}

await runFigure(figure);
