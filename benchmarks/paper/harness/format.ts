/** Decimal bytes with their unit: `18.41 MB`. */
export function bytesText(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return `${(bytes / 1000 ** power).toFixed(power === 0 ? 0 : 2)} ${units[power]}`;
}

/** A whole number with commas. */
export function countText(count: number): string {
  return count.toLocaleString("en-US");
}

/** A change in per cent, with its sign: `+12.5 %`. */
export function changeText(factor: number): string {
  const percent = 100 * (factor - 1);
  return `${percent < 0 ? "−" : "+"}${Math.abs(percent).toFixed(1)} %`;
}

/** How many times, with a digit below a thousand: `37.4x`, `1,200x`. */
export function timesText(ratio: number): string {
  return ratio < 1000 ? `${ratio.toFixed(1)}x` : `${countText(Math.round(ratio))}x`;
}
