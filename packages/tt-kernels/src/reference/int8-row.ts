import { mixBits } from "@tt-rec/tensor";

/** Largest byte of a row. */
const LARGEST = 127;
/** What the drawing of the next element's number is begun from. */
const STRIDE = 0x9e3779b9;

/** A row of bytes and its scale as floats. */
export function dequantizeRow(bytes: Int8Array, scale: number): Float32Array {
  return Float32Array.from(bytes, (byte) => byte * scale);
}

/**
 * Rounds a row to multiples of a 127th of its largest element, up as often as it is above the next lower one: right in the mean.
 * Returns the scale. What an element is rounded by follows from the key of the row and its column. A row that is not finite gets a
 * scale that is not.
 */
export function roundRow(row: Float32Array, key: number, bytes: Int8Array): number {
  let largest = 0;
  for (const value of row) largest = Math.max(largest, Math.abs(value));
  const scale = Math.fround(largest / LARGEST);
  if (scale === 0) bytes.fill(0);
  else {
    for (let j = 0; j < row.length; j++) {
      const quotient = Math.min(LARGEST, Math.max(-LARGEST, Math.fround(row[j] / scale)));
      const lower = Math.floor(quotient);
      const drawn = (mixBits(key + Math.imul(j, STRIDE)) >>> 8) / 2 ** 24;
      bytes[j] = lower + Number(drawn < quotient - lower);
    }
  }
  return scale;
}
