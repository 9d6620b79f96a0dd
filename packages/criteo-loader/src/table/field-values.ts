const ZERO = 48;
const MINUS = 45;
const MAX_ID = 2 ** 32 - 1;
/** Whole numbers of up to 15 digits are exact in a double. */
const EXACT_DIGITS = 15;
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** 0 or 1, or −1 if the bytes are neither. */
export function parseLabel(bytes: Uint8Array, from: number, to: number): number {
  const digit = bytes[from] - ZERO;
  return to === from + 1 && (digit === 0 || digit === 1) ? digit : -1;
}

/** A finite decimal number, with an exponent or without; NaN if the bytes are none. */
export function parseNumber(bytes: Uint8Array, from: number, to: number): number {
  const negative = bytes[from] === MINUS;
  const first = negative ? from + 1 : from;
  let value = 0;
  let at = first;
  for (; at < to; at++) {
    const digit = bytes[at] - ZERO;
    if (!(digit >= 0 && digit <= 9)) break;
    value = value * 10 + digit;
  }
  if (at === to && at > first && at - first <= EXACT_DIGITS) return negative ? -value : value;
  const text = latin1(bytes, from, to);
  const number = NUMBER.test(text) ? Number(text) : Number.NaN;
  return Number.isFinite(number) ? number : Number.NaN;
}

/** An unsigned 32-bit number in decimal; −1 if the bytes are none. */
export function parseDecimalId(bytes: Uint8Array, from: number, to: number): number {
  let value = 0;
  for (let at = from; at < to; at++) {
    const digit = bytes[at] - ZERO;
    if (!(digit >= 0 && digit <= 9)) return -1;
    value = value * 10 + digit;
    if (value > MAX_ID) return -1;
  }
  return to > from ? value : -1;
}

/** An unsigned 32-bit number in up to 8 hexadecimal digits; −1 if the bytes are none. */
export function parseHexId(bytes: Uint8Array, from: number, to: number): number {
  if (to === from || to - from > 8) return -1;
  let value = 0;
  for (let at = from; at < to; at++) {
    const digit = hexDigit(bytes[at]);
    if (digit < 0) return -1;
    value = (value << 4) | digit;
  }
  return value >>> 0;
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

function latin1(bytes: Uint8Array, from: number, to: number): string {
  return String.fromCharCode(...bytes.subarray(from, Math.min(to, from + 64)));
}
