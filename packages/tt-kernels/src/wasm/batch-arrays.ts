import type { KernelHost } from "@tt-rec/tensor";
import type { Lookup } from "../lookup/lookup.ts";

/** Bytes of counters for a radix sort, as the kernel declares them. */
export const COUNTER_BYTES: number = 4 * 2 ** 12;

/** Reserves bytes and returns their offset: in a step's scratch memory, or in a call's workspace. */
export type Reserve = (byteLength: number) => number;

/** Offsets of a lookup's arrays in a memory; 0 where there is none. */
export interface BatchArrays {
  /** Row ids [positions]. */
  readonly rows: number;
  /** The positions that count [lookups]. */
  readonly selected: number;
  /** How many count. */
  readonly lookups: number;
  /** Where the positions of each output start [outputs + 1]. */
  readonly offsets: number;
  /** Output of each position [positions]. */
  readonly outputOf: number;
  /** Whether `expandOffsets` has to write it. */
  readonly expands: boolean;
  /** Factors [positions]. */
  readonly coefficients: number;
}

/** Copies a lookup into a memory. */
export function copyLookup(host: KernelHost, reserve: Reserve, lookup: Lookup): BatchArrays {
  const { rows, positions, offsets, coefficients, outputsPlace } = lookup;
  const known = outputsPlace?.offset ?? 0;
  const expands = offsets !== undefined && known === 0;
  const outputOf = expands ? reserve(4 * rows.length) : known;
  if (expands) outputsPlace?.keep(outputOf);
  return {
    rows: copyWords(host, reserve, rows),
    selected: positions === undefined ? 0 : copyWords(host, reserve, positions),
    lookups: positions?.length ?? rows.length,
    offsets: offsets === undefined ? 0 : copyWords(host, reserve, offsets),
    outputOf: offsets === undefined ? 0 : outputOf,
    expands,
    coefficients: coefficients === undefined ? 0 : copyFloats(host, reserve, coefficients),
  };
}

/** Copies unsigned integers into a memory; those that lie there already stay where they are. */
export function copyWords(host: KernelHost, reserve: Reserve, values: Uint32Array): number {
  if (values.buffer === host.memory.buffer) return values.byteOffset;
  const offset = reserve(4 * values.length);
  host.words.set(values, offset / 4);
  return offset;
}

/** Copies floats into a memory; those that lie there already stay where they are. */
export function copyFloats(host: KernelHost, reserve: Reserve, values: Float32Array): number {
  if (values.buffer === host.memory.buffer) return values.byteOffset;
  const offset = reserve(4 * values.length);
  host.floats.set(values, offset / 4);
  return offset;
}

/** Writes a record of words, as kernels read it. */
export function writeRecord(host: KernelHost, reserve: Reserve, words: readonly number[]): number {
  const offset = reserve(4 * words.length);
  // A loop, because setting a typed array from an untyped one takes far longer for so few.
  const { words: memory } = host;
  for (let i = 0; i < words.length; i++) memory[offset / 4 + i] = words[i];
  return offset;
}
