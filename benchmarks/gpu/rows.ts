import { createRng, Runtime } from "@tt-rec/tensor";
import { quantile, ratioSummary } from "@tt-rec/testing";
import { type Bags, DenseEmbeddingBag, type EmbeddingBag, TTEmbeddingBag } from "@tt-rec/tt-kernels";
import { GPU_MODES, GpuDenseEmbeddingBag, GpuDevice, type GpuMode, GpuTTEmbeddingBag } from "@tt-rec/tt-kernels/gpu";
import { createTTShape, type TTShape } from "@tt-rec/tt-math";
import { type Ids, idsOf } from "../common/ids.ts";
import { executedFlops, lookupCall, randomCores, tableShape } from "../common/lookup-call.ts";
import { TABLE } from "../common/table.ts";

/** What a run measures, and for how long. */
export interface GpuBenchOptions {
  /** Rounds of each row; one more warms up. */
  readonly rounds: number;
  /** Beginnings of the ids that are wanted; none means all. */
  readonly only: readonly string[];
  /** A mode whose warm-up call of a row takes longer than this is left out of it, in ms. */
  readonly patienceMs: number;
  /** Modes to measure; one that does not answer is told. */
  readonly modes: readonly GpuMode[];
}

/** A line of results: see `GPU results` in docs/formats.md. */
export interface GpuResult {
  readonly id: string;
  readonly case: Readonly<Record<string, string | number>>;
  /** The CPU's kernels, or `gpu.js` and its mode. */
  readonly engine: string;
  /** What computes. */
  readonly adapter: string;
  /** Whether that is known to be the CPU. */
  readonly software: boolean;
  readonly phase: "forward" | "step";
  readonly unit: "ms";
  readonly median?: number;
  readonly p10?: number;
  readonly p90?: number;
  readonly runs: number;
  /** Bytes a call moves to the device and back; absent for the CPU's kernels. */
  readonly bytesUp?: number;
  readonly bytesDown?: number;
  readonly rival?: string;
  /** Time of the CPU's kernels, on one thread, divided by the time of this mode: median of the rounds. */
  readonly ratio?: number;
  readonly ratioMin?: number;
  readonly ratioMax?: number;
  /** Why there is no number. */
  readonly missing?: string;
}

/** What a row looks up. */
interface Setting {
  readonly id: string;
  readonly batchSize: number;
  readonly pooling: number;
  readonly ids: Ids;
  readonly rows: number;
  /** The table's shape; absent for the uncompressed one. */
  readonly shape?: TTShape;
}

/** Something that is measured in a row. */
interface Contender {
  readonly engine: string;
  readonly adapter: string;
  readonly software: boolean;
  readonly device?: GpuDevice;
}

/** Rows of the uncompressed table: gpu.js writes all of them in each step, so a large one says nothing. */
const DENSE_ROWS = 100_003;

/** Batches that a row goes through in turn. */
const BATCHES = 8;

function settings(): Setting[] {
  const all: Setting[] = [];
  const { rows } = TABLE;
  for (const ids of ["uniform", "zipf", "scattered"] as const) {
    for (const pooling of [1, 10, 100]) {
      for (const ranks of [16, 32]) {
        all.push({ id: `tt/R${ranks}/P${pooling}/${ids}`, batchSize: 2048, pooling, ids, rows, shape: tableShape(ranks) });
      }
      all.push({ id: `dense/P${pooling}/${ids}`, batchSize: 2048, pooling, ids, rows: DENSE_ROWS });
    }
  }
  // FBTT-Embedding's own benchmark: 512 bags, 10,240 lookups.
  const rowShape = [200, 220, 250];
  const fbtt = createTTShape({ numEmbeddings: 11_000_000, embeddingDim: 64, rowShape, columnShape: [4, 4, 4], ranks: 32 });
  all.push({ id: "fbtt/R32/P20/uniform", batchSize: 512, pooling: 20, ids: "uniform", rows: fbtt.numEmbeddings, shape: fbtt });
  return all;
}

/** Measures the rows in turn, in each all contenders round by round; `tell` gets what there is to say meanwhile. */
export async function* measureGpu(options: GpuBenchOptions, tell: (line: string) => void): AsyncGenerator<GpuResult> {
  const runtime = await Runtime.create();
  const contenders: Contender[] = [{ engine: runtime.kernels.engine, adapter: "the CPU, 1 thread", software: true }];
  for (const mode of options.modes) {
    try {
      const device = await GpuDevice.open({ mode });
      contenders.push({ engine: `gpu.js ${mode}`, adapter: device.adapter, software: device.software, device });
      tell(`${mode}: ${device.adapter}${device.software ? " (no GPU)" : ""}`);
    } catch (error) {
      tell((error as Error).message);
    }
  }
  for (const setting of settings()) {
    for (const phase of ["forward", "step"] as const) {
      const id = `gpu/${setting.id}/${phase}`;
      if (options.only.length > 0 && !options.only.some((prefix) => id.startsWith(prefix))) continue;
      tell(id);
      yield* measureRow(runtime, contenders, setting, phase, id, options);
    }
  }
  for (const { device } of contenders) await device?.close();
  await runtime.close();
}

async function* measureRow(
  runtime: Runtime,
  contenders: readonly Contender[],
  setting: Setting,
  phase: "forward" | "step",
  id: string,
  { rounds, patienceMs }: GpuBenchOptions,
): AsyncGenerator<GpuResult> {
  const batches = drawBatches(setting);
  const entries = [];
  for (const contender of contenders) {
    const times: number[] = [];
    try {
      const bag = makeBag(runtime, contender, setting);
      const call = lookupCall(runtime, bag, batches, phase);
      const first = await timed(call);
      // Kernels are compiled by then, so the second call tells more, if there is time for it.
      const warm = first > patienceMs ? first : await timed(call);
      const missing = warm > patienceMs ? `a call takes ${Math.round(warm)} ms` : undefined;
      entries.push({ contender, bag, call, times, missing, before: contender.device?.traffic });
    } catch (error) {
      entries.push({ contender, bag: undefined, call: undefined, times, missing: (error as Error).message, before: undefined });
    }
  }
  for (let round = 0; round < rounds; round++) {
    for (const { call, times, missing } of entries) {
      if (call !== undefined && missing === undefined) times.push(await timed(call));
    }
  }
  const [cpu] = entries;
  for (const { contender, bag, times, missing, before } of entries) {
    const { device, engine, adapter, software } = contender;
    const moved = device?.traffic;
    const measured = times.length > 0 && before !== undefined && moved !== undefined;
    yield {
      id,
      case: describe(setting, batches),
      ...{ engine, adapter, software, phase, unit: "ms", runs: times.length },
      ...(times.length > 0 && { median: quantile(times, 0.5), p10: quantile(times, 0.1), p90: quantile(times, 0.9) }),
      ...(measured && { bytesUp: (moved.up - before.up) / rounds, bytesDown: (moved.down - before.down) / rounds }),
      ...(device !== undefined && {
        rival: cpu.contender.engine,
        ...ratioSummary(times.map((time, i) => cpu.times[i] / time).filter(Number.isFinite)),
      }),
      ...(missing !== undefined && { missing }),
    };
    bag?.dispose();
  }
}

async function timed(call: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await call();
  return performance.now() - start;
}

function drawBatches({ batchSize, pooling, ids, rows }: Setting): Bags[] {
  const draw = idsOf(ids, rows);
  const offsets = Uint32Array.from({ length: batchSize + 1 }, (_, bag) => bag * pooling);
  return Array.from({ length: BATCHES }, () => ({ indices: draw(batchSize * pooling), offsets }));
}

function makeBag(runtime: Runtime, { device }: Contender, { shape, rows }: Setting): EmbeddingBag {
  if (shape !== undefined) {
    const options = { shape, cores: randomCores(shape) };
    return device === undefined ? new TTEmbeddingBag(runtime, options) : new GpuTTEmbeddingBag(runtime, device, options);
  }
  const initialize = (table: Float32Array): void => {
    const rng = createRng(5);
    for (let i = 0; i < table.length; i++) table[i] = rng.uniform();
  };
  const options = { numEmbeddings: rows, embeddingDim: TABLE.embeddingDim, initialize };
  return device === undefined ? new DenseEmbeddingBag(runtime, options) : new GpuDenseEmbeddingBag(runtime, device, options);
}

function describe({ batchSize, pooling, ids, rows, shape }: Setting, batches: readonly Bags[]): GpuResult["case"] {
  const lookups = batchSize * pooling;
  const table = { rows, embeddingDim: shape?.embeddingDim ?? TABLE.embeddingDim };
  if (shape === undefined) return { ...table, batchSize, pooling, ids, lookups };
  const flops = batches.reduce((sum, { indices }) => sum + executedFlops(shape, indices), 0) / batches.length;
  const shapes = { rowShape: shape.rowShape.join("x"), columnShape: shape.columnShape.join("x"), ranks: shape.ranks[1] };
  return { ...table, ...shapes, batchSize, pooling, ids, lookups, forwardFlops: Math.round(flops) };
}

/** All modes, for a run that asks for no other. */
export const ALL_MODES: readonly GpuMode[] = GPU_MODES;
