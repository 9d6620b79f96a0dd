import { type Directory, TtError } from "@tt-rec/tensor";
import type { LogSource, RowSource } from "../log/row-source.ts";
import type { Manifest } from "../manifest/manifest.ts";
import { runPipeline } from "./pipeline.ts";
import type { PrepareOptions } from "./prepare-options.ts";
import { memoryWorkplace } from "./workplace.ts";

/**
 * Turns raw logs into a data set in `target`: Arrow IPC files for each split, dictionaries, and last the manifest.
 *
 * Semantics are DLRM's for Criteo: a missing number and a negative one are 0, numbers become ln(x + 1), ids are hex
 * of 32 unsigned bits, a missing id is the raw id 0; the last day is held out, its first part for the test and its
 * end for validation. Unlike DLRM's, the dictionaries come from training rows only; every other id is index 0.
 *
 * The sources are read once, on the calling thread. Their typed columns, 165 bytes a row of Criteo, stay in memory until
 * the files are written; `prepareFiles` of `@tt-rec/criteo-loader/node` keeps them on disk and works in threads. The output's
 * bytes depend only on the sources' bytes, names and options. Whatever goes wrong, a folder without a complete data
 * set has no manifest.
 *
 * Throws `E_OPTION`, `E_EXISTS` if the target holds a data set and `replace` is not set, `E_EMPTY` if a source has no
 * good row, `E_ROW` with file and line at the first bad row beyond `maxBadRows`, and what the sources and the target throw.
 */
export async function prepare(
  sources: readonly (LogSource | RowSource)[],
  target: Directory,
  options: PrepareOptions = {},
): Promise<Manifest> {
  if (sources.length === 0) throw new TtError("E_OPTION", "no source was given");
  return runPipeline(sources, options, memoryWorkplace(target));
}
