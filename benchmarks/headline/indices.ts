import { execFile } from "node:child_process";
import { copyFile, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Draw, type Ids, idsOf } from "../common/ids.ts";
import { TABLE } from "../common/table.ts";

/** Batches in a file, by pooling: enough that rows do not stay in the processor's caches. */
const BATCHES: Readonly<Record<number, number>> = { 1: 256, 10: 64, 100: 8 };
export const BATCH_SIZE = 2048;

/** The lookups that the peers and we share. */
export interface IndexFiles {
  /** Folder for the peers; in `scattered` the files called `zipf` hold the scattered ids, since peers know no third kind. */
  folder(kind: "plain" | "scattered"): string;
  /** The batches of one file, each `BATCH_SIZE` · pooling ids. */
  batches(ids: Ids, pooling: number): Promise<Uint32Array[]>;
}

/** Makes the files with the peers' program, or, where that cannot run, draws ids alike for ours alone. */
export async function makeIndices(peers: string, temporary: string): Promise<IndexFiles> {
  const [plain, scattered] = [join(temporary, "indices"), join(temporary, "indices-scattered")];
  const drawn = await runMaker(peers, plain).then(
    () => false,
    () => true,
  );
  if (!drawn) await makeScattered(plain, scattered);
  const draws = new Map<Ids, Draw>();
  return {
    folder: (kind) => (kind === "plain" ? plain : scattered),
    async batches(ids, pooling) {
      const size = BATCH_SIZE * pooling;
      const all = drawn ? drawIds(draws, ids)(size * BATCHES[pooling]) : await readIds(join(plain, fileName(ids, pooling)));
      return Array.from({ length: all.length / size }, (_, i) => all.subarray(i * size, (i + 1) * size));
    },
  };
}

function fileName(ids: Ids, pooling: number): string {
  return `idx_kaggle_${ids}_${BATCH_SIZE}x${pooling}.i32`;
}

async function runMaker(peers: string, folder: string): Promise<void> {
  const script = join(peers, "make_indices.py");
  const run = promisify(execFile);
  // The peers run on the system's Python; another one may come first in the path and lack numpy.
  await run("/usr/bin/python3", [script, folder]).catch(() => run("python3", [script, folder]));
}

async function makeScattered(plain: string, scattered: string): Promise<void> {
  await mkdir(scattered, { recursive: true });
  for (const pooling of [1, 10, 100]) {
    await copyFile(join(plain, fileName("uniform", pooling)), join(scattered, fileName("uniform", pooling)));
    await copyFile(join(plain, fileName("scattered", pooling)), join(scattered, fileName("zipf", pooling)));
  }
}

async function readIds(path: string): Promise<Uint32Array> {
  const bytes = await readFile(path);
  // The ids are below 2^31: the same bits signed and unsigned.
  return new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

function drawIds(draws: Map<Ids, Draw>, ids: Ids): Draw {
  const known = draws.get(ids);
  if (known !== undefined) return known;
  const draw = idsOf(ids, TABLE.rows);
  draws.set(ids, draw);
  return draw;
}
