import { createWriteStream, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { type Dataset, generateLog, openDataset } from "@tt-rec/criteo-loader";
import { logFile, type PrepareFilesOptions, prepareFiles } from "@tt-rec/criteo-loader/node";
import { nodeDirectory } from "@tt-rec/tensor/node";
import { suggestShape } from "@tt-rec/tt-math";
import type { FigureContext, Mode } from "./figure.ts";
import { countText } from "./format.ts";

/** Folder of the real data sets: `TT_REC_DATA`, or `shared/data` beside the repository. */
export const DATA_FOLDER: string =
  process.env.TT_REC_DATA ?? fileURLToPath(new URL("../../../../../shared/data", import.meta.url));

/** Rows of the generated log, and its share of Criteo Kaggle's cardinalities, where there is no real one. */
const GENERATED: Readonly<Record<Mode, { readonly rows: number; readonly scale: number }>> = {
  tiny: { rows: 10_000, scale: 0.001 },
  quick: { rows: 200_000, scale: 0.02 },
  full: { rows: 5_000_000, scale: 1 },
};

/** A prepared data set. */
export interface PreparedData {
  readonly dataset: Dataset;
  /** What it is, for the record. */
  readonly name: string;
  /** Removes its files. */
  remove(): void;
}

/** The raw log in Criteo Kaggle's form that was found: the whole file `train.txt`, or a sample `train.tsv.gz`. */
function kaggleLog(): string | undefined {
  return ["train.txt", "train.tsv.gz"].map((name) => join(DATA_FOLDER, "criteo-kaggle", name)).find((path) => existsSync(path));
}

/**
 * Prepares Criteo Kaggle's log where it is found, otherwise (or if `generated`) a generated one: seven days in order, the last
 * for test and validation.
 */
export async function prepareCriteo(
  { mode, seed, progress }: FigureContext,
  options: Pick<PrepareFilesOptions, "idOrder" | "minFrequency" | "hashSize"> = {},
  generated: boolean = mode === "tiny",
): Promise<PreparedData> {
  const folder = mkdtempSync(join(tmpdir(), "tt-rec-paper-"));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.once("exit", remove);
  const found = generated ? undefined : kaggleLog();
  const { rows, scale } = GENERATED[mode];
  const log = found ?? join(folder, "log.tsv");
  if (found === undefined) await pipeline(Readable.from(generateLog({ rows, scale, seed })), createWriteStream(log));
  await prepareFiles([logFile(log)], join(folder, "data"), { rowShape: (n) => suggestShape(n, 3), threads: 2, ...options });
  const dataset = await openDataset(nodeDirectory(join(folder, "data")));
  const total = countText(dataset.rows("train") + dataset.rows("validation") + dataset.rows("test"));
  const name =
    found === undefined
      ? `generated log: ${total} rows, ${scale} of Criteo Kaggle's cardinalities, seed ${seed}`
      : `Criteo Kaggle: ${total} rows in time order, the first six sevenths for training`;
  progress(`prepared ${name}`);
  return { dataset, name, remove };
}
