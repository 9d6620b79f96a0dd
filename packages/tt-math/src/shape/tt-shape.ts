import { TtError } from "@tt-rec/tensor";
import { maxNumEmbeddings, requirePositive } from "./limits.ts";
import { suggestShape } from "./suggest-shape.ts";

/** Shape of an embedding table in TT format; plain data, safe to write as JSON. Made and checked by `createTTShape`. */
export interface TTShape {
  /** Rows n of the table. */
  readonly numEmbeddings: number;
  /** Columns D of the table. */
  readonly embeddingDim: number;
  /** Row factors p; prod(p) ≥ n, the surplus rows are padding. */
  readonly rowShape: readonly number[];
  /** Column factors q; prod(q) = D. */
  readonly columnShape: readonly number[];
  /** TT-ranks in full form, `[1, R1, …, 1]`, one more than there are cores. */
  readonly ranks: readonly number[];
}

/** What `createTTShape` makes a shape from. */
export interface TTShapeOptions {
  /** Rows n of the table, from 1 to 2^32 − 1. */
  readonly numEmbeddings: number;
  /** Columns D of the table. */
  readonly embeddingDim: number;
  /** A number bounds every rank and is clipped at each bond to what can be used; a list gives the d − 1 inner ranks. */
  readonly ranks: number | readonly number[];
  /** Row factors. Default `suggestShape(numEmbeddings, d)`. */
  readonly rowShape?: readonly number[];
  /** Column factors. Default `suggestShape(embeddingDim, d, { roundUp: false })`. */
  readonly columnShape?: readonly number[];
  /** Number of cores d, at least 2. Default the length of the given factors, else 3. */
  readonly cores?: number;
}

/**
 * Makes a TT shape and checks it.
 *
 * The useful rank of a bond is the smaller product of p_k·q_k on its two sides. A number given as `ranks` is clipped to
 * it; an inner rank above it is an error, as no table needs it.
 *
 * Throws E_OPTION for a number that is not a positive integer in its range, E_SHAPE for lists that do not fit together
 * or do not fit the table.
 */
export function createTTShape(options: TTShapeOptions): TTShape {
  const { numEmbeddings, embeddingDim, ranks } = options;
  requirePositive("numEmbeddings", numEmbeddings);
  if (numEmbeddings > maxNumEmbeddings) {
    throw new TtError(
      "E_OPTION",
      `numEmbeddings = ${numEmbeddings} exceeds ${maxNumEmbeddings}, the largest that uint32 ids allow`,
    );
  }
  requirePositive("embeddingDim", embeddingDim);
  const d = options.cores ?? options.rowShape?.length ?? options.columnShape?.length ?? 3;
  if (!Number.isInteger(d) || d < 2) throw new TtError("E_OPTION", `a TT shape has an integer of at least 2 cores, not ${d}`);

  const rowShape = checkFactors("rowShape", options.rowShape ?? suggestShape(numEmbeddings, d), d);
  const columnShape = checkFactors("columnShape", options.columnShape ?? suggestShape(embeddingDim, d, { roundUp: false }), d);
  const rows = product(rowShape);
  // Digits are computed in doubles.
  if (!Number.isSafeInteger(rows)) throw new TtError("E_SHAPE", `rowShape ${rowShape.join(" x ")} has a product above 2^53`);
  if (rows < numEmbeddings) {
    throw new TtError("E_SHAPE", `rowShape ${rowShape.join(" x ")} = ${rows} is less than numEmbeddings = ${numEmbeddings}`);
  }
  const columns = product(columnShape);
  if (columns !== embeddingDim) {
    throw new TtError("E_SHAPE", `columnShape ${columnShape.join(" x ")} = ${columns} is not embeddingDim = ${embeddingDim}`);
  }
  return { numEmbeddings, embeddingDim, rowShape, columnShape, ranks: fullRanks(ranks, rowShape, columnShape) };
}

/** Shape `[p_k, r_k, q_k, r_(k+1)]` of core k, counted from 0; a slice of one row digit is contiguous. */
export function coreShape(shape: TTShape, k: number): [number, number, number, number] {
  return [shape.rowShape[k], shape.ranks[k], shape.columnShape[k], shape.ranks[k + 1]];
}

/** Number of floats in all cores: Σ p_k·r_k·q_k·r_(k+1). */
export function parameterCount(shape: TTShape): number {
  return shape.rowShape.reduce((sum, _, k) => sum + product(coreShape(shape, k)), 0);
}

/** Bytes of all cores in float32. */
export function coreBytes(shape: TTShape): number {
  return 4 * parameterCount(shape);
}

/** How many times smaller the cores are than the real table: n·D / parameters, padding rows not counted. */
export function compressionRatio(shape: TTShape): number {
  return (shape.numEmbeddings * shape.embeddingDim) / parameterCount(shape);
}

function fullRanks(ranks: number | readonly number[], rowShape: readonly number[], columnShape: readonly number[]): number[] {
  const sizes = rowShape.map((p, k) => p * columnShape[k]);
  const limits = sizes.slice(1).map((_, bond) => Math.min(product(sizes.slice(0, bond + 1)), product(sizes.slice(bond + 1))));
  if (typeof ranks === "number") {
    requirePositive("ranks", ranks);
    return [1, ...limits.map((limit) => Math.min(limit, ranks)), 1];
  }
  if (ranks.length !== limits.length) {
    throw new TtError("E_SHAPE", `ranks has ${ranks.length} entries, ${sizes.length} cores need ${limits.length} inner ranks`);
  }
  for (const [bond, rank] of ranks.entries()) {
    requirePositive(`ranks[${bond}]`, rank);
    if (rank > limits[bond]) {
      throw new TtError("E_SHAPE", `ranks[${bond}] = ${rank} exceeds ${limits[bond]}, the smaller side of that bond`);
    }
  }
  return [1, ...ranks, 1];
}

function checkFactors(name: string, factors: readonly number[], d: number): number[] {
  if (factors.length !== d) throw new TtError("E_SHAPE", `${name} has ${factors.length} factors for ${d} cores`);
  for (const [k, factor] of factors.entries()) requirePositive(`${name}[${k}]`, factor);
  return [...factors];
}

function product(factors: readonly number[]): number {
  return factors.reduce((a, b) => a * b, 1);
}
