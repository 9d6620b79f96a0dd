import Table from "cli-table3";

/** Bytes in decimal units, as the paper counts them: 18.41 MB. */
export function formatBytes(bytes: number): string {
  for (const [unit, size] of [
    ["GB", 1e9],
    ["MB", 1e6],
    ["kB", 1e3],
  ] as const) {
    if (bytes >= size) return `${(bytes / size).toFixed(2)} ${unit}`;
  }
  return `${bytes} B`;
}

/** A ratio with one decimal: 117.4x. */
export function formatRatio(ratio: number): string {
  return `${ratio.toFixed(1)}x`;
}

/** A whole number with thousands separators. */
export function formatCount(count: number): string {
  return count.toLocaleString("en");
}

/** Draws rows under a heading; the first column is text, the others are right-aligned. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const table = new Table({
    head: [...head],
    colAligns: head.map((_, column) => (column === 0 ? "left" : "right")),
    // Plain text: the output is piped and pasted as often as it is read on a terminal.
    style: { head: [], border: [], compact: true },
  });
  for (const row of rows) table.push([...row]);
  return table.toString();
}
