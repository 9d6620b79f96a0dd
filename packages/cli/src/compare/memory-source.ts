import type { Dataset } from "@tt-rec/criteo-loader";
import type { Batch, BatchRequest, BatchSource, Split } from "@tt-rec/dlrm";
import { createRng, shuffleInPlace, TtError } from "@tt-rec/tensor";

/** The ids of a table for all rows of a split. */
interface Column {
  /** Ids, row after row. */
  readonly indices: Uint32Array;
  /** Only of a list column: where each row's ids begin; rows + 1 entries. */
  readonly offsets?: Uint32Array;
}

/** All rows of a split. */
interface Rows {
  readonly rows: number;
  readonly labels: Float32Array;
  readonly dense: Float32Array;
  readonly columns: readonly Column[];
}

/** A data set in memory, so that hundreds of short runs read it once. */
export type MemoryData = Readonly<Record<Split, Rows>>;

/** More is not read. */
const LARGEST_BYTES = 2 ** 32;

/** Reads a data set into memory. Throws `E_MEMORY` beyond 4 GiB. */
export async function readIntoMemory(data: Dataset): Promise<MemoryData> {
  const all = (["train", "validation", "test"] as const).map((split) => data.rows(split)).reduce((a, b) => a + b, 0);
  const bytes = 4 * all * (1 + data.denseFeatures + data.tableNames.length);
  if (bytes > LARGEST_BYTES)
    throw new TtError("E_MEMORY", `the data set takes ${bytes} bytes in memory, more than ${LARGEST_BYTES}`);
  return {
    train: await readSplit(data, "train"),
    validation: await readSplit(data, "validation"),
    test: await readSplit(data, "test"),
  };
}

async function readSplit(data: Dataset, split: Split): Promise<Rows> {
  const rows = data.rows(split);
  const labels = new Float32Array(rows);
  const dense = new Float32Array(rows * data.denseFeatures);
  const pieces: Uint32Array[][] = data.tableNames.map(() => []);
  const lengths: (number[] | undefined)[] = data.tableNames.map(() => undefined);
  let at = 0;
  for await (const batch of data.batches({ split, batchSize: 8192 })) {
    labels.set(batch.labels, at);
    dense.set(batch.dense, at * data.denseFeatures);
    for (const [t, { indices, offsets }] of batch.bags.entries()) {
      pieces[t].push(indices.slice());
      if (offsets === undefined) continue;
      lengths[t] ??= [];
      for (let i = 0; i < batch.size; i++) lengths[t].push(offsets[i + 1] - offsets[i]);
    }
    at += batch.size;
  }
  const columns = pieces.map((parts, t) => {
    const own = lengths[t];
    return { indices: joined(parts), ...(own && { offsets: offsetsOf(own) }) };
  });
  return { rows, labels, dense, columns };
}

function joined(parts: readonly Uint32Array[]): Uint32Array {
  const all = new Uint32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function offsetsOf(lengths: readonly number[]): Uint32Array {
  const offsets = new Uint32Array(lengths.length + 1);
  for (const [i, length] of lengths.entries()) offsets[i + 1] = offsets[i] + length;
  return offsets;
}

/** The same data with other ids: id i of table t becomes `maps[t][i]`. */
export function renumbered(data: MemoryData, maps: readonly Uint32Array[]): MemoryData {
  const renumber = (rows: Rows): Rows => ({
    ...rows,
    columns: rows.columns.map((column, t) => ({ ...column, indices: column.indices.map((id) => maps[t][id]) })),
  });
  return { train: renumber(data.train), validation: renumber(data.validation), test: renumber(data.test) };
}

/** Batches of data in memory; a shuffle mixes all rows, by seed and epoch. Throws `E_OPTION` if negatives are to be left out,
 * or the shuffle is to stay within days. */
export function memorySource(data: MemoryData): BatchSource {
  return {
    rows: (split) => data[split].rows,
    async *batches({ split, batchSize, shuffle = false, dropNegatives = 0, seed = 0, epoch = 0, start = 0 }: BatchRequest) {
      if (shuffle === "day") throw new TtError("E_OPTION", "data in memory have no days to shuffle within");
      if (dropNegatives > 0) throw new TtError("E_OPTION", "data in memory are taken whole; dropNegatives is not for them");
      const all = data[split];
      const order =
        shuffle === false || shuffle === "none"
          ? undefined
          : shuffleInPlace(
              Uint32Array.from({ length: all.rows }, (_, row) => row),
              createRng(seed, epoch),
            );
      for (let from = start * batchSize; from < all.rows; from += batchSize) {
        const to = Math.min(all.rows, from + batchSize);
        yield order === undefined ? slice(all, from, to) : gather(all, order.subarray(from, to));
      }
    },
  };
}

function slice({ rows, labels, dense, columns }: Rows, from: number, to: number): Batch {
  const width = rows === 0 ? 0 : dense.length / rows;
  const bags = columns.map(({ indices, offsets }) => {
    if (offsets === undefined) return { indices: indices.subarray(from, to) };
    const begin = offsets[from];
    return {
      indices: indices.subarray(begin, offsets[to]),
      offsets: offsets.subarray(from, to + 1).map((offset) => offset - begin),
    };
  });
  return { size: to - from, labels: labels.subarray(from, to), dense: dense.subarray(from * width, to * width), bags };
}

function gather({ rows, labels, dense, columns }: Rows, places: Uint32Array): Batch {
  const width = dense.length / rows;
  const [ownLabels, ownDense] = [new Float32Array(places.length), new Float32Array(places.length * width)];
  for (const [i, place] of places.entries()) {
    ownLabels[i] = labels[place];
    for (let k = 0; k < width; k++) ownDense[i * width + k] = dense[place * width + k];
  }
  const bags = columns.map(({ indices, offsets }) => {
    if (offsets === undefined) return { indices: places.map((place) => indices[place]) };
    const own = offsetsOf(Array.from(places, (place) => offsets[place + 1] - offsets[place]));
    const ids = new Uint32Array(own[places.length]);
    for (const [i, place] of places.entries()) ids.set(indices.subarray(offsets[place], offsets[place + 1]), own[i]);
    return { indices: ids, offsets: own };
  });
  return { size: places.length, labels: ownLabels, dense: ownDense, bags };
}
