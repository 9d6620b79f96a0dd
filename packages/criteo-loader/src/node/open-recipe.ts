import type { LogSource, RowSource, SourceRecipe } from "../log/row-source.ts";
import { logFile } from "./log-file.ts";

/** Opens a part of a source in the thread that reads it. */
export function openRecipe({ path, range }: SourceRecipe): LogSource | RowSource {
  return logFile(path, range);
}
