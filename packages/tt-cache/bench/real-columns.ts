import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { createRng, shuffleInPlace } from "@tt-rec/tensor";

/** The accesses of a column of a real data set, in the order of its rows. */
export interface Column {
  readonly name: string;
  readonly trace: Uint32Array;
  /** Distinct ids. */
  readonly rows: number;
  readonly batchSize: number;
}

const FOLDER = process.env.TT_REC_DATA ?? fileURLToPath(new URL("../../../../../shared/data", import.meta.url));
const FIRST_CATEGORY = 14;

/** The large columns of the Criteo Kaggle sample, and those of ml-1m and Gowalla; sets that are not there are named on the way. */
export function realColumns(): Column[] {
  const criteo = readSet("criteo-kaggle/train.tsv.gz", false);
  // Files sorted by user are no trace of a shuffled training.
  const movies = shuffleInPlace(readSet("ml-1m/interactions.tsv.gz", true), createRng(1));
  const places = shuffleInPlace(readSet("gowalla/interactions.tsv.gz", true), createRng(1));
  return [
    ...[3, 12, 21, 16, 4, 24, 26].map((n) => columnOf(`Kaggle C${n}`, criteo, FIRST_CATEGORY + n - 1, 128)),
    ...["user", "movie"].map((name, field) => columnOf(`ml-1m ${name}`, movies, field, 1024)),
    ...["user", "item"].map((name, field) => columnOf(`gowalla ${name}`, places, field, 1024)),
  ].filter(({ rows }) => rows > 0);
}

function readSet(file: string, headed: boolean): string[][] {
  if (!existsSync(`${FOLDER}/${file}`)) {
    console.error(`there is no ${file} in ${FOLDER}: its columns are left out`);
    return [];
  }
  const lines = gunzipSync(readFileSync(`${FOLDER}/${file}`))
    .toString("latin1")
    .trimEnd()
    .split("\n");
  return lines.slice(headed ? 1 : 0).map((line) => line.split("\t"));
}

function columnOf(name: string, rows: readonly string[][], field: number, batchSize: number): Column {
  const ids = new Map<string, number>();
  const trace = Uint32Array.from(rows, (row) => {
    const known = ids.get(row[field]) ?? ids.size;
    ids.set(row[field], known);
    return known;
  });
  return { name, trace, rows: ids.size, batchSize };
}
