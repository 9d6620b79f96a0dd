import { basename, dirname } from "node:path";
import { type Dlrm, type DlrmOptions, loadCheckpoint, readModel } from "@tt-rec/dlrm";
import { type Runtime, TtError } from "@tt-rec/tensor";
import { nodeDirectory } from "@tt-rec/tensor/node";

/** Columns that a model and a data set have in common. */
interface Columns {
  readonly denseFeatures: number;
  readonly tableNames: readonly string[];
  readonly cardinalities: readonly number[];
}

/** Loads the model of a run's folder, or of a file that `export` wrote. */
export async function loadModel(runtime: Runtime, path: string, which: "best" | "latest", options: DlrmOptions): Promise<Dlrm> {
  if (path.endsWith(".safetensors")) {
    return readModel(runtime, await nodeDirectory(dirname(path)).read(basename(path)), options);
  }
  return (await loadCheckpoint(runtime, nodeDirectory(path), { ...options, which })).model;
}

/** Throws `E_MISMATCH` unless a model has the tables and dense features of a data set. */
export function checkColumns({ config }: Dlrm, { denseFeatures, tableNames, cardinalities }: Columns): void {
  const own = [config.denseFeatures, ...config.tables.flatMap(({ name, numEmbeddings }) => [name, numEmbeddings])];
  const given = [denseFeatures, ...tableNames.flatMap((name, t) => [name, cardinalities[t]])];
  if (JSON.stringify(own) === JSON.stringify(given)) return;
  throw new TtError("E_MISMATCH", "the model was trained on another data set: its tables or dense features are others");
}
