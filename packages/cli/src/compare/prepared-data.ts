import { basename, resolve } from "node:path";
import { dictionaryBytes, openDataset } from "@tt-rec/criteo-loader";
import type { BatchSource } from "@tt-rec/dlrm";
import { sha256, TtError } from "@tt-rec/tensor";
import type { DataShape } from "../run/model-config.ts";
import { openFolder } from "../run/open-folder.ts";
import type { Cell } from "./cells.ts";
import { type MemoryData, memorySource, readIntoMemory, renumbered } from "./memory-source.ts";
import type { Numbering } from "./methods.ts";
import { numberIds } from "./number-ids.ts";

/** A data set that is compared on. */
export interface PreparedData {
  /** Name of its folder. */
  readonly name: string;
  /** How its ids were numbered. */
  readonly idOrder: string;
  /** Digest of everything in it. */
  readonly digest: string;
  /** Digest of its test labels. */
  readonly testRows: string;
  /** Labels of its test rows. */
  readonly testLabels: Float32Array;
  /** Columns and sizes. */
  readonly shape: DataShape;
  /** Accesses of each row of each table in training rows, as prepared. */
  readonly counts: readonly Uint32Array[];
  /** The tables that are compared: the largest ones. */
  readonly compared: readonly number[];
  /** Words of a raw id of each table. */
  readonly words: readonly (1 | 2)[];
  /** Its batches under a numbering. */
  source(numbering: Numbering): BatchSource;
  /** Accesses of each row of each table under a numbering. */
  countsOf(numbering: Numbering): readonly ArrayLike<number>[];
}

/** Reads a data set into memory. Throws `E_OPTION` without validation or test rows. */
export async function prepareData(folder: string, largest: number): Promise<PreparedData> {
  const data = await openFolder(folder, openDataset);
  for (const split of ["validation", "test"] as const) {
    if (data.rows(split) === 0) throw new TtError("E_OPTION", `${folder} has no ${split} rows, and a comparison needs some`);
  }
  const { manifest, cardinalities, tableNames, denseFeatures } = data;
  const [memory, counts] = [await readIntoMemory(data), await data.accessCounts()];
  const bySize = cardinalities.map((_, t) => t).sort((a, b) => cardinalities[b] - cardinalities[a] || a - b);
  const { labels } = memory.test;
  // One numbering beside the prepared one is in use at a time.
  let last: { numbering: Numbering; data: MemoryData; counts: readonly ArrayLike<number>[] } | undefined;
  const under = (numbering: Numbering): { data: MemoryData; counts: readonly ArrayLike<number>[] } => {
    if (last?.numbering === numbering) return last;
    const maps = numberIds(numbering, counts);
    if (maps === undefined) return { data: memory, counts };
    last = { numbering, data: renumbered(memory, maps), counts: counts.map((table, t) => renumberedCounts(table, maps[t])) };
    return last;
  };
  return {
    name: basename(resolve(folder)),
    idOrder: manifest.options.idOrder,
    digest: await sha256(new TextEncoder().encode(JSON.stringify([manifest.files, manifest.dictionaries]))),
    testRows: (await sha256(new Uint8Array(labels.buffer))).slice(0, 16),
    testLabels: labels,
    shape: { denseFeatures, tableNames, cardinalities },
    counts,
    compared: bySize.slice(0, largest).sort((a, b) => a - b),
    words: tableNames.map((name) => (manifest.schema.wide?.includes(name) ? 2 : 1)),
    source: (numbering) => memorySource(under(numbering).data),
    countsOf: (numbering) => under(numbering).counts,
  };
}

function renumberedCounts(counts: Uint32Array, numbers: Uint32Array): Uint32Array {
  const own = new Uint32Array(counts.length);
  for (const [id, number] of numbers.entries()) own[number] = counts[id];
  return own;
}

/**
 * Bytes of the dictionaries from raw ids to indices that a cell's model needs: those of all ids, but for removed columns none,
 * and for hot rows those of the rows alone. Hashed ids need none.
 */
export function dictionaryBytesOf({ method }: Cell, data: PreparedData, hotRows: (table: number) => number): number {
  if (data.idOrder === "hash") return 0;
  return data.shape.cardinalities.reduce((sum, rows, t) => {
    const isCompared = data.compared.includes(t);
    if (isCompared && method === "removed") return sum;
    const ids = isCompared && method === "hot-rows" ? hotRows(t) : rows - 1;
    return sum + dictionaryBytes(ids, data.words[t]);
  }, 0);
}
