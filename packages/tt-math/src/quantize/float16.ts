/** Rounds float32 numbers to half precision (IEEE 754 binary16), to the nearest, ties to even; the bits are returned. */
export function encodeFloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return Uint16Array.from(bits, encodeBits);
}

/** The float32 numbers that half-precision bits stand for; all of them are exact. */
export function decodeFloat16(halves: Uint16Array): Float32Array {
  decoded ??= Float32Array.from({ length: 1 << 16 }, (_, half) => decodeBits(half));
  const values = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) values[i] = decoded[halves[i]];
  return values;
}

/** The value of every bit pattern, made at the first use. */
let decoded: Float32Array | undefined;

function encodeBits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  // NaN keeps its upper payload bits and stays quiet; what rounds beyond 65504 is infinite.
  if (magnitude > 0x7f800000) return sign | 0x7e00 | ((magnitude >>> 13) & 0x1ff);
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) return sign | roundOff(magnitude - 0x38000000, 13);
  // Below 2^-14 halves are multiples of 2^-24; below half of that they are zero.
  const shift = 126 - (magnitude >>> 23);
  return shift > 25 ? sign : sign | roundOff((magnitude & 0x7fffff) | 0x800000, shift);
}

/** value / 2^shift, rounded to the nearest integer, ties to even. */
function roundOff(value: number, shift: number): number {
  const half = 2 ** (shift - 1);
  const rest = value % (2 * half);
  const floor = (value - rest) / (2 * half);
  return rest > half || (rest === half && floor % 2 === 1) ? floor + 1 : floor;
}

function decodeBits(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 31;
  const fraction = half & 0x3ff;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}
