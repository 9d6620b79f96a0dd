import { alignColumns, significant } from "@tt-rec/testing";
import type { GpuResult } from "./rows.ts";

/** Results as an aligned table. */
export function gpuTable(results: readonly GpuResult[]): string {
  const header = ["row", "engine", "ms", "p10", "p90", "kB up", "kB down", "vs CPU", ""];
  const kilobytes = (bytes: number | undefined): string => (bytes === undefined ? "" : significant(bytes / 1000));
  const rows = results.map((result) => [
    result.id,
    result.engine,
    significant(result.median),
    significant(result.p10),
    significant(result.p90),
    kilobytes(result.bytesUp),
    kilobytes(result.bytesDown),
    significant(result.ratio),
    result.missing ?? "",
  ]);
  return alignColumns([header, ...rows]);
}
