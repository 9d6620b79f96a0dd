import { TtError } from "@tt-rec/tensor";
import { parameterCount, type TTShape } from "../shape/tt-shape.ts";
import { checkCores, type TTCores } from "../tt-cores.ts";
import { decodeFloat16, encodeFloat16 } from "./float16.ts";

/** How the numbers of cores are stored: as they are, in half precision, or as bytes with a scale a slice. */
export type CoreStorage = "float32" | "float16" | "int8";

/** Cores as they are stored for export and scoring. */
export type QuantizedCores = Float32Cores | Float16Cores | Int8Cores;

/** Cores in single precision: nothing is rounded. */
export interface Float32Cores extends TTCores {
  /** Names the storage. */
  readonly storage: "float32";
}

/** Cores in half precision. */
export interface Float16Cores {
  /** Names the storage. */
  readonly storage: "float16";
  /** Shape of the table and of its cores. */
  readonly shape: TTShape;
  /** Bits of core k, row-major `[p_k, r_k, q_k, r_(k+1)]`. */
  readonly cores: readonly Uint16Array[];
}

/** Cores as bytes: an element is its byte times the scale of its slice, the slice of one row digit. */
export interface Int8Cores {
  /** Names the storage. */
  readonly storage: "int8";
  /** Shape of the table and of its cores. */
  readonly shape: TTShape;
  /** Bytes of core k, from −127 to 127, row-major `[p_k, r_k, q_k, r_(k+1)]`. */
  readonly cores: readonly Int8Array[];
  /** Scales of core k, `[p_k]`. */
  readonly scales: readonly Float32Array[];
}

/**
 * Rounds cores to half precision, or to 8 bits with one scale for the slice of each row digit; `float32` keeps them.
 *
 * Rounding what was rounded changes nothing, so a file that is read and written again has the same bytes. Throws E_SHAPE for
 * cores that do not fit their shape, E_NONFINITE for a number that is not finite, or beyond 65504 in half precision.
 */
export function quantizeCores(tt: TTCores, storage: CoreStorage): QuantizedCores {
  checkCores(tt);
  const limit = storage === "float16" ? LARGEST_HALF : Number.MAX_VALUE;
  for (const [k, core] of tt.cores.entries()) {
    const at = core.findIndex((value) => !(Math.abs(value) < limit));
    if (at < 0) continue;
    const what = Number.isFinite(core[at]) ? `beyond 65504, the largest in ${storage}` : "not finite";
    throw new TtError("E_NONFINITE", `cores[${k}][${at}] = ${core[at]} is ${what}`);
  }
  const { shape } = tt;
  if (storage === "float32") return { storage, shape, cores: tt.cores };
  if (storage === "float16") return { storage, shape, cores: tt.cores.map(encodeFloat16) };
  const slices = tt.cores.map((core, k) => quantizeSlices(core, shape.rowShape[k]));
  return { storage, shape, cores: slices.map(({ bytes }) => bytes), scales: slices.map(({ scales }) => scales) };
}

/** The cores that quantised ones stand for, in float32. Throws E_SHAPE for parts that do not fit together. */
export function dequantizeCores(quantized: QuantizedCores): TTCores {
  const { shape } = quantized;
  if (quantized.storage !== "int8") {
    const tt = { shape, cores: quantized.storage === "float16" ? quantized.cores.map(decodeFloat16) : quantized.cores };
    checkCores(tt);
    return tt;
  }
  const { scales } = quantized;
  for (const [k, p] of shape.rowShape.entries()) {
    if (scales[k]?.length !== p)
      throw new TtError("E_SHAPE", `scales[${k}] has ${scales[k]?.length ?? 0} entries for ${p} slices`);
  }
  const tt = { shape, cores: quantized.cores.map((bytes, k) => restoreSlices(bytes, scales[k])) };
  checkCores(tt);
  return tt;
}

/** Bytes of all cores in a storage, the scales of int8 included. */
export function storedBytes(shape: TTShape, storage: CoreStorage): number {
  const count = parameterCount(shape);
  if (storage === "int8") return count + 4 * shape.rowShape.reduce((a, b) => a + b, 0);
  return (storage === "float16" ? 2 : 4) * count;
}

/** Numbers from here on round to infinity in half precision. */
const LARGEST_HALF = 65_520;

/** The largest byte; −128 is not used, so that signs are treated alike. */
const LARGEST_BYTE = 127;

function quantizeSlices(core: Float32Array, slices: number): { bytes: Int8Array; scales: Float32Array } {
  const size = core.length / slices;
  const bytes = new Int8Array(core.length);
  const scales = new Float32Array(slices);
  for (let slice = 0; slice < slices; slice++) {
    const begin = slice * size;
    let largest = 0;
    for (let i = begin; i < begin + size; i++) largest = Math.max(largest, Math.abs(core[i]));
    // Rounded before it divides, so that the stored scale is the one that was used; a subnormal one could round to zero.
    scales[slice] = largest / LARGEST_BYTE;
    if (scales[slice] === 0) continue;
    for (let i = begin; i < begin + size; i++) {
      bytes[i] = Math.max(-LARGEST_BYTE, Math.min(LARGEST_BYTE, Math.round(core[i] / scales[slice])));
    }
  }
  return { bytes, scales };
}

function restoreSlices(bytes: Int8Array, scales: Float32Array): Float32Array {
  const size = bytes.length / scales.length;
  return Float32Array.from(bytes, (byte, i) => byte * scales[Math.floor(i / size)]);
}
