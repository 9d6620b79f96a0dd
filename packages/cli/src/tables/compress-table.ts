import { createRng, type Runtime } from "@tt-rec/tensor";
import {
  approximationError,
  type CoreStorage,
  dequantizeCores,
  type QuantizedCores,
  quantizeCores,
  type RowSource,
  streamedTTSvd,
  type TTCores,
  type TTShape,
  ttSvd,
  weightedFit,
} from "@tt-rec/tt-math";

/** How one table is compressed. */
export interface TableGoal {
  /** Row and column factors, and the ranks that bound where there is no epsilon. */
  readonly shape: TTShape;
  /** Relative error that is allowed; the ranks follow from it. */
  readonly epsilon?: number;
  /** Accesses of each row; with them the fit is weighted. */
  readonly counts?: Float64Array;
  /** How the cores are stored. */
  readonly storage: CoreStorage;
  /** Seed of the randomised decomposition. */
  readonly seed: number;
}

/** A compressed table, and how it came out. */
export interface CompressedTable {
  /** The cores as they are stored. */
  readonly cores: QuantizedCores;
  /** Relative error of the stored cores on the rows of the table. */
  readonly relativeError: number;
  /** The same weighted by accesses, where there are counts. */
  readonly weightedError?: number;
  /** How the cores were found. */
  readonly method: string;
}

/** Work of an exact decomposition, elements times rows of the first unfolding, that takes a second or two. */
const EXACT_WORK = 2 ** 29;

/** Compresses one table and measures the error of what is stored. `onProgress` hears of a share from 0 to 1. */
export async function compressTable(
  runtime: Runtime,
  source: RowSource,
  goal: TableGoal,
  onProgress: (share: number, step: string) => void,
): Promise<CompressedTable> {
  const { counts, storage } = goal;
  const { tt, method } = await decompose(runtime, source, goal, (share) => onProgress(0.5 * share, "decomposing"));
  const fitted = counts === undefined ? tt : await fit(source, counts, tt, (share) => onProgress(0.5 + 0.4 * share, "fitting"));
  const cores = quantizeCores(fitted, storage);
  onProgress(0.95, "measuring");
  const error = await approximationError(runtime, source, dequantizeCores(cores), counts === undefined ? {} : { counts });
  onProgress(1, "done");
  return { cores, ...error, method: counts === undefined ? method : `${method}, weighted fit` };
}

async function decompose(
  runtime: Runtime,
  source: RowSource,
  { shape, epsilon, seed }: TableGoal,
  onProgress: (share: number) => void,
): Promise<{ tt: TTCores; method: string }> {
  const { numEmbeddings, embeddingDim, rowShape, columnShape, ranks } = shape;
  const bound = epsilon === undefined ? { maxRank: ranks.slice(1, -1) } : { epsilon };
  if (numEmbeddings * embeddingDim * rowShape[0] * columnShape[0] <= EXACT_WORK) {
    const matrix = await source.read(0, numEmbeddings);
    return { tt: ttSvd(matrix, { numEmbeddings, rowShape, columnShape, ...bound }), method: "exact SVD" };
  }
  const options = { rowShape, columnShape, ...bound, onProgress: (read: number, all: number) => onProgress(read / all) };
  return { tt: await streamedTTSvd(runtime, source, options, createRng(seed)), method: "randomised SVD" };
}

async function fit(
  source: RowSource,
  counts: Float64Array,
  start: TTCores,
  onProgress: (share: number) => void,
): Promise<TTCores> {
  const sweeps = 12;
  const matrix = await source.read(0, source.numEmbeddings);
  return weightedFit(matrix, counts, start, { sweeps, onSweep: (sweep) => onProgress(sweep / sweeps) });
}
