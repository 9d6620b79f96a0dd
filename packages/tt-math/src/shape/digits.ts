import { TtError } from "@tt-rec/tensor";

/**
 * Splits a row id into its digits, most significant first: index = (i1·p2 + i2)·p3 + i3.
 *
 * Throws E_INDEX when the id is not an integer in [0, prod(rowShape)).
 */
export function rowDigits(index: number, rowShape: readonly number[]): number[] {
  const digits = new Array<number>(rowShape.length);
  let rest = index;
  // Division instead of shifts: an id is a uint32, and |0 would turn the upper half negative.
  for (let k = rowShape.length - 1; k >= 0; k--) {
    digits[k] = rest % rowShape[k];
    rest = Math.floor(rest / rowShape[k]);
  }
  if (!Number.isSafeInteger(index) || index < 0 || rest !== 0) {
    const rows = rowShape.reduce((a, b) => a * b, 1);
    throw new TtError("E_INDEX", `index ${index} is not an integer from 0 to ${rows - 1} (rowShape = ${rowShape.join(" x ")})`);
  }
  return digits;
}

/**
 * Joins the digits of a row into its id; the inverse of `rowDigits`.
 *
 * Throws E_INDEX when there are not as many digits as factors, or one is not an integer below its factor.
 */
export function rowIndex(digits: readonly number[], rowShape: readonly number[]): number {
  if (digits.length !== rowShape.length) {
    throw new TtError("E_INDEX", `${digits.length} digits for the ${rowShape.length} factors of rowShape`);
  }
  let index = 0;
  for (let k = 0; k < rowShape.length; k++) {
    if (!Number.isInteger(digits[k]) || digits[k] < 0 || digits[k] >= rowShape[k]) {
      throw new TtError("E_INDEX", `digits[${k}] = ${digits[k]} is not an integer from 0 to ${rowShape[k] - 1}`);
    }
    index = index * rowShape[k] + digits[k];
  }
  return index;
}
