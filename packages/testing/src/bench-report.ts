import type { BenchmarkResult } from "./bench.ts";

const HEADER = ["benchmark", "engine", "median", "p10", "p90", "unit", "rounds", "cores", "ratio", "min", "max", "rival"];

/** Puts results into a table with aligned columns; `cores` is processor time over wall time, `ratio` higher-is-better. */
export function report(results: readonly BenchmarkResult[]): string {
  const rows = results.map((result) => [
    result.id,
    result.engine,
    significant(result.median),
    significant(result.p10),
    significant(result.p90),
    result.unit,
    String(result.runs),
    result.cpuPerWall.toFixed(2),
    significant(result.ratio),
    significant(result.ratioMin),
    significant(result.ratioMax),
    result.rival ?? "",
  ]);
  return alignColumns([HEADER, ...rows]);
}

/** Lines with aligned columns, two spaces apart; numbers stand to the right. */
export function alignColumns(table: readonly (readonly string[])[]): string {
  const widths = table[0].map((_, column) => Math.max(...table.map((row) => row[column].length)));
  const line = (row: readonly string[]): string =>
    row.map((cell, column) => (isNumber(cell) ? cell.padStart(widths[column]) : cell.padEnd(widths[column]))).join("  ");
  return table.map((row) => line(row).trimEnd()).join("\n");
}

/** Three significant digits, without exponents; nothing for nothing. */
export function significant(value: number | undefined): string {
  if (value === undefined) return "";
  const decimals = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value) || 1)));
  return value.toFixed(Math.min(decimals, 9));
}

function isNumber(cell: string): boolean {
  return cell !== "" && Number.isFinite(Number(cell));
}
