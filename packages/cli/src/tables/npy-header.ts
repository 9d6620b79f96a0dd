import { type ReadAt, TtError } from "@tt-rec/tensor";
import { parse } from "npyjs";

/** What an .npy file holds, and where. */
export interface NpyHeader {
  /** Element type without its byte order: `f4`, `f2`, `i8`, … */
  readonly dtype: string;
  /** Extent of each axis. */
  readonly shape: readonly number[];
  /** Place of the first element. */
  readonly byteOffset: number;
}

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

/** Magic bytes, version, and the longer of the two lengths. */
const PREFIX_BYTES = 12;

/** Whether a file begins as .npy files do. */
export async function isNpy(file: ReadAt): Promise<boolean> {
  const start = await file.slice(0, Math.min(MAGIC.length, file.byteLength));
  return start.length === MAGIC.length && MAGIC.every((byte, i) => start[i] === byte);
}

/**
 * Reads the header of an .npy file; npyjs parses it as a file without elements, so that a table of gigabytes can be
 * streamed. Throws E_CORRUPT for a damaged header, big-endian numbers, or columns first.
 */
export async function readNpyHeader(file: ReadAt): Promise<NpyHeader> {
  const prefix = await file.slice(0, Math.min(PREFIX_BYTES, file.byteLength));
  if (prefix.length < PREFIX_BYTES) throw corrupt(`it has ${prefix.length} bytes`);
  const view = new DataView(prefix.buffer, prefix.byteOffset);
  const byteOffset = prefix[6] <= 1 ? 10 + view.getUint16(8, true) : 12 + view.getUint32(8, true);
  if (byteOffset > file.byteLength) throw corrupt(`its header ends at byte ${byteOffset} of ${file.byteLength}`);
  const { dtype, shape, fortranOrder } = parsed(await file.slice(0, byteOffset));
  if (fortranOrder) throw corrupt("its columns come first (fortran_order); save it with numpy.ascontiguousarray");
  if (!shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0)) throw corrupt(`its shape is [${shape}]`);
  return { dtype, shape, byteOffset };
}

/** Reads a whole .npy file of numbers as float64: counts. Throws E_CORRUPT. */
export async function readNpyNumbers(file: ReadAt): Promise<Float64Array> {
  const { shape } = await readNpyHeader(file);
  const { data } = parsed(await file.slice(0, file.byteLength));
  const numbers = Float64Array.from(data as unknown as ArrayLike<number | bigint>, Number);
  const size = shape.reduce((a, b) => a * b, 1);
  if (numbers.length !== size) throw corrupt(`it has ${numbers.length} elements, its shape [${shape}] has ${size}`);
  return numbers;
}

function parsed(bytes: Uint8Array): ReturnType<typeof parse> {
  try {
    return parse(new Uint8Array(bytes).buffer);
  } catch (cause) {
    throw corrupt((cause as Error).message, cause);
  }
}

function corrupt(rule: string, cause?: unknown): TtError {
  return new TtError("E_CORRUPT", `not an .npy file that can be read: ${rule}`, {}, cause === undefined ? undefined : { cause });
}
