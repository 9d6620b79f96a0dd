import { createRng, Runtime } from "@tt-rec/tensor";
import { peak, quantile, significant } from "@tt-rec/testing";
import { uniformIds } from "../common/ids.ts";
import { executedFlops, lookupCall, randomCores, tableShape } from "../common/lookup-call.ts";
import { TABLE } from "../common/table.ts";
import { barChart } from "./harness/charts.ts";
import type { Claim, Figure, FigureContext, Line, Measurement } from "./harness/figure.ts";
import { bytesText, timesText } from "./harness/format.ts";
import { cpuTimes, interleave, quotients } from "./harness/interleave.ts";
import { drawBags, ttTable } from "./harness/lookup-bags.ts";
import { runFigure } from "./harness/run-figure.ts";
import { materialize } from "./kernels/materialize.ts";
import { plainChain } from "./kernels/plain-chain.ts";
import { torchRivals } from "./kernels/torch-rivals.ts";

const BATCH = 2048;
const RANKS = { tiny: [8], quick: [16, 32], full: [8, 16, 32, 64] } as const;
const PEAK_FLOPS = 2e8;
const DATA = `one id a bag, ${BATCH} bags, ids uniform over a table of 10,131,227 × 16`;
const OURS = "ours";

/** TT lookups against other ways of doing them. */
const figure: Figure = {
  name: "kernels",
  title: "Kernel efficiency",
  deck: "a lookup as a chain of small batched products takes about 10,000 times less memory than T3nsor, which builds the table, and is 2.4 times as fast.",
  async *measure(context) {
    for (const ranks of RANKS[context.mode]) yield* measureRank(ranks, context);
    // The peers' program measures all its ranks, which takes a minute.
    if (context.mode === "tiny") return;
    for (const { id, case: parameters, phase, rival, median, ratio, rivalMedian, missing } of await torchRivals(context.mode)) {
      if (missing !== undefined) context.progress(`${id}: ${missing}`);
      if (median === undefined || ratio === undefined || rivalMedian === undefined) continue;
      yield {
        ...{ id: `torch/${id}`, case: { ...parameters, rival: `PyTorch, ${rival}` }, engine: "wasm-relaxed", phase, unit: "ms" },
        ...{
          values: [median],
          also: { rivalMs: rivalMedian, ratio },
          data: "the lookups of the headline, in a table of 10,131,227 × 16",
        },
      };
    }
  },
  page(lines) {
    const lookups = lines.filter(({ case: { way } }) => way !== undefined);
    const torch = lines.filter(({ case: { rival } }) => rival !== undefined);
    return {
      charts: [
        {
          name: "",
          caption: `Processor time of a forward pass of ${BATCH} lookups, one thread.`,
          spec: barChart(
            lookups.map(({ case: { way, ranks }, median }) => ({ what: `${way}, R = ${ranks}`, ms: median })),
            "what",
            { field: "ms", title: "ms", scale: "log" },
          ),
        },
      ],
      tables: [
        {
          caption: `A forward pass of ${BATCH} lookups, one thread: processor time, memory beside the cores, arithmetic`,
          head: ["", "ms", "ours is faster", "memory", "ours takes less", "GFLOP/s", "of the peak"],
          rows: lookups.map(({ case: { way, ranks }, median, also }) => [
            `${way}, R = ${ranks}`,
            significant(median),
            also.timesSlower === 1 ? "" : timesText(also.timesSlower),
            bytesText(also.bytes),
            also.timesLarger === 1 ? "" : timesText(also.timesLarger),
            also.gflops.toFixed(1),
            `${(100 * also.shareOfPeak).toFixed(0)} %`,
          ]),
        },
        ...(torch.length === 0
          ? []
          : [
              {
                caption: "A step (plan, forward, backward, SGD) at R = 32 against PyTorch on one thread, in the same rounds",
                head: ["rival", "ids", "P", "ours, ms", "theirs, ms", "ours is faster"],
                rows: torch.map(({ case: { rival, ids, pooling }, median, also }) => [
                  ...[String(rival), String(ids), String(pooling)],
                  ...[significant(median), significant(also.rivalMs), timesText(also.ratio)],
                ]),
              },
            ]),
      ],
      text: [
        "The rivals are plain forms of the algorithms, written for this figure: the whole table is built by our own SIMD GEMM, in memory that is \
allocated once, and rows are taken out of it; the chain multiplies the slices of every lookup in plain TypeScript. Both give the same rows as our \
bag before they are timed. Operations are those that are done, and the peak is what WebAssembly reaches on this machine with nothing but \
fused multiply-adds of 128 bits. Memory is that beside cores and output: ours is the scratch that the runtime holds after a lookup.",
        torch.length === 0
          ? "PyTorch was not installed on the machine that measured; `npm run bench:headline` names what it takes."
          : "The batched chain is the reference's algorithm, and the whole table T3nsor's, in PyTorch with OpenBLAS.",
      ],
      claims: claims(lookups),
    };
  },
};

async function* measureRank(ranks: number, context: FigureContext): AsyncGenerator<Measurement> {
  const runtime = await Runtime.create({ threads: 1 });
  const shape = tableShape(ranks);
  const cores = randomCores(shape);
  const batches = drawBags(uniformIds(TABLE.rows, createRng(context.seed)), BATCH, 1, 16);
  const bag = ttTable(runtime, ranks);
  const ours = lookupCall(runtime, bag, batches, "forward");
  const scratch = await scratchBytes(ranks);
  const table = materialize(runtime, shape, cores);
  const { indices } = batches[0];
  const rows = await runtime.step(async () => (await bag.forward(bag.plan(batches[0], { training: false }))).data.slice());
  requireEqual("the whole table", await table.rows(indices), rows);
  requireEqual("the chain", plainChain(shape, cores, indices), rows);
  let next = 0;
  const batch = (): Uint32Array => batches[next++ % batches.length].indices;
  const multiply = peak("relaxed");
  const cases = new Map<string, () => unknown>([
    [OURS, ours],
    ["whole table", () => table.rows(batch())],
    ["chain in plain TypeScript", () => plainChain(shape, cores, batch())],
    ["peak", () => multiply(PEAK_FLOPS)],
  ]);
  const samples = await interleave(cases, context);
  const peakRate = PEAK_FLOPS / 1e6 / quantile(cpuTimes(samples.get("peak")), 0.5);
  const chainFlops = 2 * BATCH * ranks * (2 * 2 * ranks + 16);
  const about = [
    { way: OURS, bytes: scratch, flops: executedFlops(shape, indices) },
    { way: "whole table", bytes: table.bytes, flops: table.flops },
    { way: "chain in plain TypeScript", bytes: 4 * 2 * 2 * ranks, flops: chainFlops },
  ];
  for (const { way, bytes, flops } of about) {
    const times = cpuTimes(samples.get(way));
    const gflops = flops / 1e6 / quantile(times, 0.5);
    yield {
      id: `R${ranks}/${way.replaceAll(" ", "-")}`,
      case: { way, ranks, batchSize: BATCH, threads: 1 },
      ...{ engine: runtime.kernels.engine, phase: "forward", unit: "ms", values: times, data: DATA },
      also: {
        ...{ timesSlower: quantile(quotients(times, cpuTimes(samples.get(OURS))), 0.5), bytes, timesLarger: bytes / scratch },
        ...{ gflops, shareOfPeak: gflops / peakRate, peakGflops: peakRate },
      },
    };
  }
  await runtime.close();
}

/** Bytes that a runtime holds after its first forward pass, without cores and output. */
async function scratchBytes(ranks: number): Promise<number> {
  const runtime = await Runtime.create({ threads: 1 });
  const run = lookupCall(
    runtime,
    ttTable(runtime, ranks),
    drawBags(uniformIds(TABLE.rows, createRng(1)), BATCH, 1, 1),
    "forward",
  );
  const before = runtime.scratchBytes;
  await run();
  const grown = runtime.scratchBytes - before - 4 * BATCH * TABLE.embeddingDim;
  await runtime.close();
  // An output that is not scratch must not make the rest look like less than nothing.
  return Math.max(1, grown);
}

function requireEqual(name: string, actual: Float32Array, expected: Float32Array): void {
  let [largest, difference] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    largest = Math.max(largest, Math.abs(expected[i]));
    difference = Math.max(difference, Math.abs(actual[i] - expected[i]));
  }
  if (!(difference <= 1e-5 * largest)) throw new Error(`${name} gives other rows: they differ by ${difference} of ${largest}`);
}

function claims(lookups: readonly Line[]): Claim[] {
  const tables = lookups.filter(({ case: { way } }) => way === "whole table");
  const range = (of: (line: Line) => number): string => {
    const values = tables.map(of);
    return [...new Set([Math.min(...values), Math.max(...values)].map(timesText))].join(" to ");
  };
  const least = Math.min(...tables.map(({ also }) => also.timesLarger));
  return [
    {
      ...{ deck: "about 10,000x less memory than T3nsor", ours: range(({ also }) => also.timesLarger) },
      verdict: least >= 10_000 ? "reached" : "not reached",
      reason: `scratch of a forward pass of ${BATCH} lookups in a table of 10 M rows: index lists, products of prefixes, rows, in an arena that \
grows in pieces. The number grows with the table and falls with batch and rank; the deck does not name its batch`,
    },
    {
      ...{ deck: "2.4x faster than T3nsor on average", ours: range(({ also }) => also.timesSlower), verdict: "reached" },
      reason: "per call, at the deck's largest table: T3nsor's time grows with the table, ours with the batch",
    },
  ];
}

await runFigure(figure);
