import { Dlrm } from "@tt-rec/dlrm";
import { createRng, Runtime } from "@tt-rec/tensor";
import { type EmbeddingBag, TTEmbeddingBag } from "@tt-rec/tt-kernels";
import { createTTShape, initializeCores } from "@tt-rec/tt-math";
import { uniformIds } from "../../common/ids.ts";
import { lookupCall } from "../../common/lookup-call.ts";
import { topTables } from "../../common/top-tables.ts";
import { drawBatches } from "../harness/drawn-batches.ts";
import type { FigureContext, Measurement } from "../harness/figure.ts";
import { cpuTimes, interleave, wallTimes } from "../harness/interleave.ts";
import { drawBags } from "../harness/lookup-bags.ts";

/** A TT table and how it is asked. */
interface Point {
  readonly rows: number;
  readonly ranks: number;
  readonly batch: number;
}

const BASE: Point = { rows: 10_000_000, ranks: 16, batch: 2048 };
const ROWS = { tiny: [1e4, 1e6], quick: [1e4, 1e5, 1e6, 1e7, 1e8], full: [1e4, 1e5, 1e6, 1e7, 1e8, 1e9] } as const;
const RANKS = { tiny: [8, 16], quick: [4, 8, 16, 32, 64], full: [4, 8, 16, 32, 64, 128] } as const;
const BATCHES = { tiny: [128, 2048], quick: [128, 512, 2048, 8192], full: [128, 512, 2048, 8192, 32768] } as const;
const TABLES = { tiny: [2, 4], quick: [2, 4, 8, 16, 32], full: [2, 4, 8, 16, 32, 64] } as const;
const EMBEDDING_DIM = 16;
const DRAWN_BATCHES = 16;

/** One dimension after the other grows, the others stay. */
export async function* sweeps(context: FigureContext): AsyncGenerator<Measurement> {
  const { mode } = context;
  yield* sweepBag(
    "rows",
    ROWS[mode].map((rows) => ({ ...BASE, rows })),
    context,
  );
  yield* sweepBag(
    "ranks",
    RANKS[mode].map((ranks) => ({ ...BASE, ranks })),
    context,
  );
  yield* sweepBag(
    "batch",
    BATCHES[mode].map((batch) => ({ ...BASE, batch })),
    context,
  );
  yield* sweepTables(context);
  yield* sweepThreads(context);
}

async function* sweepBag(axis: keyof Point, points: readonly Point[], context: FigureContext): AsyncGenerator<Measurement> {
  const runtime = await Runtime.create({ threads: 1 });
  const bags = points.map((point) => createBag(runtime, point));
  const cases = points.map((point, i) => [String(i), stepOf(runtime, bags[i], point, context)] as const);
  const samples = await interleave(new Map(cases), context);
  for (const [i, point] of points.entries()) {
    yield {
      id: `${axis}/${point[axis]}`,
      case: { axis, value: point[axis], ...point, embeddingDim: EMBEDDING_DIM, threads: 1 },
      ...{ engine: runtime.kernels.engine, phase: "step", unit: "ms", values: cpuTimes(samples.get(String(i))) },
      ...{ also: { bytes: bags[i].parameterBytes }, data: "one id a bag, uniform over the table" },
    };
  }
  await runtime.close();
}

async function* sweepTables(context: FigureContext): AsyncGenerator<Measurement> {
  const runtime = await Runtime.create({ threads: 1 });
  const counts = TABLES[context.mode];
  const models = counts.map((count) => {
    const rows = Array.from({ length: count }, () => 1_000_000);
    const tables = topTables(rows, count, () => ({ kind: "tt", ranks: BASE.ranks }));
    const config = { denseFeatures: 0, embeddingDim: EMBEDDING_DIM, bottomMlp: [], topMlp: [1], tables };
    const batches = drawBatches(rows, 0, BASE.batch, context.seed)(DRAWN_BATCHES);
    return { model: new Dlrm(runtime, config, createRng(context.seed)), batches };
  });
  const cases = models.map(({ model, batches }, i) => {
    let next = 0;
    return [String(i), () => model.train(batches[next++ % DRAWN_BATCHES], { kind: "sgd", learningRate: 0.01 })] as const;
  });
  const samples = await interleave(new Map(cases), context);
  for (const [i, count] of counts.entries()) {
    yield {
      id: `tables/${count}`,
      case: { axis: "tables", value: count, ...BASE, rows: 1_000_000, embeddingDim: EMBEDDING_DIM, threads: 1 },
      ...{ engine: runtime.kernels.engine, phase: "step", unit: "ms", values: cpuTimes(samples.get(String(i))) },
      also: { bytes: models[i].model.embeddingParameterBytes },
      data: "a model of TT tables of 1,000,000 rows and a dot interaction, one id a table by p(r) ∝ r^-1.05",
    };
  }
  await runtime.close();
}

async function* sweepThreads(context: FigureContext): AsyncGenerator<Measurement> {
  const counts = [1, 2];
  const point = { ...BASE, ranks: 32, batch: 8192 };
  const runtimes = await Promise.all(counts.map((threads) => Runtime.create({ threads })));
  const bags = runtimes.map((runtime) => createBag(runtime, point));
  const cases = counts.map((threads, i) => [String(threads), stepOf(runtimes[i], bags[i], point, context)] as const);
  const samples = await interleave(new Map(cases), context);
  for (const [i, threads] of counts.entries()) {
    yield {
      id: `threads/${threads}`,
      case: { axis: "threads", value: threads, ...point, embeddingDim: EMBEDDING_DIM, threads },
      ...{ engine: runtimes[i].kernels.engine, phase: "step", unit: "ms", values: wallTimes(samples.get(String(threads))) },
      ...{ also: { bytes: bags[i].parameterBytes }, data: "one id a bag, uniform over the table; wall time" },
    };
  }
  for (const runtime of runtimes) await runtime.close();
}

function createBag(runtime: Runtime, { rows, ranks }: Point): TTEmbeddingBag {
  const shape = createTTShape({ numEmbeddings: rows, embeddingDim: EMBEDDING_DIM, ranks });
  const initializer = { kind: "sampled-gaussian", scaling: "variance-matched" } as const;
  return new TTEmbeddingBag(runtime, { shape, cores: initializeCores(shape, createRng(1), initializer) });
}

function stepOf(runtime: Runtime, bag: EmbeddingBag, { rows, batch }: Point, { seed }: FigureContext): () => Promise<void> {
  return lookupCall(runtime, bag, drawBags(uniformIds(rows, createRng(seed)), batch, 1, DRAWN_BATCHES), "step");
}
