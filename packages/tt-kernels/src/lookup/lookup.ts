import { TtError } from "@tt-rec/tensor";
import type { Bags, Pooling } from "../embedding-bag.ts";

/**
 * Bags and pooling resolved to a list of terms: position p adds `coefficients[p]` times row `rows[p]` to the output whose
 * range of `offsets` it lies in. A subset of the positions is again a lookup, which is how a cache splits a batch.
 */
export interface Lookup {
  /** Number of output rows. */
  readonly outputs: number;
  /** Row id of each position. */
  readonly rows: Uint32Array;
  /** Where the positions of each output start [outputs + 1]; absent: position p makes output p. */
  readonly offsets?: Uint32Array | undefined;
  /** The only positions that count, rising, where other rows answer the rest; for the kernels. Absent: all. */
  readonly positions?: Uint32Array | undefined;
  /** Where the kernels keep the output of each position, for lookups with the same offsets: it is written for the first of them. */
  readonly outputsPlace?:
    | {
        /** Offset in their memory, or 0 if it is not there in this step. */
        readonly offset: number;
        /** Tells where it is about to be written. */
        keep(offset: number): void;
      }
    | undefined;
  /** Factor of each position: weight times pooling factor; absent means 1 throughout. */
  readonly coefficients?: Float32Array | undefined;
  /** Derivative of each coefficient by its weight, present if the bags have weights. */
  readonly weightFactors?: Float32Array | undefined;
}

/**
 * Validates bags against a table of `numEmbeddings` rows and resolves them; without that number, whether ids are too large is for the
 * caller to see. Throws `E_INDEX`, `E_OFFSETS`, `E_WEIGHTS`.
 */
export function resolveBags({ indices, offsets, weights }: Bags, pooling: Pooling, numEmbeddings?: number): Lookup {
  // Callers in plain JavaScript pass number arrays, in which -1 and 1.5 would go unnoticed.
  if (!(indices instanceof Uint32Array)) throw new TtError("E_INDEX", "indices is not a Uint32Array");
  if (numEmbeddings !== undefined) checkIndices(indices, numEmbeddings);
  if (offsets !== undefined) checkOffsets(offsets, indices.length);
  if (weights !== undefined) checkWeights(weights, indices.length);
  // One id a bag is the rule in click logs, and needs no pooling.
  const pooled = pooling !== "none" && offsets !== undefined && !isIdentity(offsets, indices.length);
  const terms = pooled ? { outputs: offsets.length - 1, rows: indices, offsets } : { outputs: indices.length, rows: indices };
  const factors = pooling === "mean" && pooled ? meanFactors(offsets, indices.length) : undefined;
  if (weights === undefined) return { ...terms, ...(factors && { coefficients: factors }) };
  const coefficients = factors === undefined ? weights : weights.map((weight, p) => weight * factors[p]);
  return { ...terms, coefficients, weightFactors: factors ?? new Float32Array(indices.length).fill(1) };
}

/** The output of each position. */
export function outputsOf({ rows, offsets }: Lookup): Uint32Array {
  const outputOf = new Uint32Array(rows.length);
  if (offsets === undefined) for (let p = 0; p < outputOf.length; p++) outputOf[p] = p;
  else for (let output = 0; output + 1 < offsets.length; output++) outputOf.fill(output, offsets[output], offsets[output + 1]);
  return outputOf;
}

/** The terms of a lookup at some of its positions, which rise, under other row ids if `rows` is given. */
export function selectPositions(lookup: Lookup, positions: Uint32Array, rows?: Uint32Array): Lookup {
  const { outputs, coefficients, weightFactors } = lookup;
  return {
    outputs,
    rows: rows ?? positions.map((p) => lookup.rows[p]),
    offsets: selectedOffsets(lookup, positions),
    ...(coefficients && { coefficients: Float32Array.from(positions, (p) => coefficients[p]) }),
    ...(weightFactors && { weightFactors: Float32Array.from(positions, (p) => weightFactors[p]) }),
  };
}

function selectedOffsets({ outputs, offsets }: Lookup, positions: Uint32Array): Uint32Array {
  const selected = new Uint32Array(outputs + 1);
  let next = 0;
  for (let output = 0; output < outputs; output++) {
    const end = offsets === undefined ? output + 1 : offsets[output + 1];
    while (next < positions.length && positions[next] < end) next++;
    selected[output + 1] = next;
  }
  return selected;
}

/** Tells whether bag b holds position b and no other, for all of them. */
function isIdentity(offsets: Uint32Array, count: number): boolean {
  // Valid offsets rise from 0 to the number of ids.
  if (offsets.length !== count + 1) return false;
  for (let bag = 0; bag < count; bag++) if (offsets[bag] !== bag) return false;
  return true;
}

function meanFactors(offsets: Uint32Array, count: number): Float32Array {
  const factors = new Float32Array(count);
  for (let bag = 0; bag + 1 < offsets.length; bag++) {
    factors.fill(1 / (offsets[bag + 1] - offsets[bag]), offsets[bag], offsets[bag + 1]);
  }
  return factors;
}

/** Throws `E_INDEX` if an id is not below the number of a table's rows. */
export function checkIndices(indices: Uint32Array, numEmbeddings: number): void {
  for (let p = 0; p < indices.length; p++) {
    if (indices[p] >= numEmbeddings) {
      throw new TtError("E_INDEX", `indices[${p}] = ${indices[p]} is not below the number of embeddings, ${numEmbeddings}`);
    }
  }
}

function checkOffsets(offsets: Uint32Array, count: number): void {
  if (!(offsets instanceof Uint32Array)) throw new TtError("E_OFFSETS", "offsets is not a Uint32Array");
  if (offsets.length === 0) throw new TtError("E_OFFSETS", "offsets is empty; it needs one entry more than there are bags");
  if (offsets[0] !== 0) throw new TtError("E_OFFSETS", `offsets[0] = ${offsets[0]} is not 0`);
  for (let bag = 1; bag < offsets.length; bag++) {
    if (offsets[bag] < offsets[bag - 1]) {
      throw new TtError("E_OFFSETS", `offsets[${bag}] = ${offsets[bag]} is below offsets[${bag - 1}] = ${offsets[bag - 1]}`);
    }
    if (offsets[bag] > count) {
      throw new TtError("E_OFFSETS", `offsets[${bag}] = ${offsets[bag]} exceeds the number of indices, ${count}`);
    }
  }
  const last = offsets.length - 1;
  if (offsets[last] !== count) {
    throw new TtError("E_OFFSETS", `offsets[${last}] = ${offsets[last]}, the last, is not the number of indices, ${count}`);
  }
}

function checkWeights(weights: Float32Array, count: number): void {
  if (!(weights instanceof Float32Array)) throw new TtError("E_WEIGHTS", "weights is not a Float32Array");
  if (weights.length !== count) {
    throw new TtError("E_WEIGHTS", `there are ${weights.length} weights for ${count} indices`);
  }
  const bad = weights.findIndex((weight) => !Number.isFinite(weight));
  if (bad >= 0) throw new TtError("E_WEIGHTS", `weights[${bad}] = ${weights[bad]} is not finite`);
}
