import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { Batch, BatchRequest, BatchSource, Split } from "@tt-rec/dlrm";
import { createRng } from "@tt-rec/tensor";

/** Pairs of a user and an item with a label, split into parts. */
export interface Interactions {
  readonly name: string;
  /** Rows of the tables: users, items. */
  readonly cardinalities: readonly [number, number];
  /** Batches of a split. */
  readonly source: BatchSource;
  /** Lookups of each user and of each item in the training rows. */
  readonly counts: readonly [Float64Array, Float64Array];
}

interface Rows {
  readonly users: Uint32Array;
  readonly items: Uint32Array;
  readonly labels: Float32Array;
}

/** The folder of the real data sets: `TT_REC_DATA`, or `../shared/data` beside the repository. */
const DATA_FOLDER = process.env.TT_REC_DATA ?? "../shared/data";

/** Loads ml-1m (label: a rating of 4 or 5) or gowalla (visits, and as many random items that were not visited). */
export function loadInteractions(name: "ml-1m" | "gowalla"): Interactions {
  const lines = gunzipSync(readFileSync(join(DATA_FOLDER, name, "interactions.tsv.gz")))
    .toString("latin1")
    .trimEnd()
    .split("\n");
  lines.shift();
  const ids = [new Map<string, number>(), new Map<string, number>()] as const;
  const idOf = (column: 0 | 1, text: string): number => {
    const known = ids[column].get(text);
    if (known !== undefined) return known;
    ids[column].set(text, ids[column].size);
    return ids[column].size - 1;
  };
  const triples = lines.map((line) => {
    const [user, item, last] = line.split("\t");
    return [idOf(0, user), idOf(1, item), last] as const;
  });
  const rng = createRng(7);
  const parts: Record<Split, [number, number, number][]> = { train: [], validation: [], test: [] };
  const items = ids[1].size;
  for (const [user, item, last] of triples) {
    const draw = rng.uniform();
    const drawn: Split = draw < 0.1 ? "test" : draw < 0.2 ? "validation" : "train";
    const split: Split = name === "ml-1m" ? drawn : last === "valid" ? "validation" : last === "test" ? "test" : "train";
    parts[split].push([user, item, name === "gowalla" ? 1 : Number(last)]);
    if (name === "gowalla") parts[split].push([user, Math.floor(rng.uniform() * items), 0]);
  }
  const rows = Object.fromEntries(Object.entries(parts).map(([split, list]) => [split, shuffled(list)])) as Record<Split, Rows>;
  const cardinalities = [ids[0].size, items] as const;
  const counts = [new Float64Array(ids[0].size), new Float64Array(items)] as const;
  for (const user of rows.train.users) counts[0][user]++;
  for (const item of rows.train.items) counts[1][item]++;
  return {
    name,
    cardinalities,
    counts,
    source: { rows: (split) => rows[split].labels.length, batches: (request) => batches(rows, request) },
  };
}

function shuffled(list: [number, number, number][]): Rows {
  const rng = createRng(8);
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(rng.uniform() * (i + 1));
    [list[i], list[j]] = [list[j], list[i]];
  }
  return {
    users: Uint32Array.from(list, ([user]) => user),
    items: Uint32Array.from(list, ([, item]) => item),
    labels: Float32Array.from(list, ([, , label]) => label),
  };
}

async function* batches(all: Record<Split, Rows>, { split, batchSize, start = 0 }: BatchRequest): AsyncGenerator<Batch> {
  const { users, items, labels } = all[split];
  for (let begin = start * batchSize; begin < labels.length; begin += batchSize) {
    const end = Math.min(begin + batchSize, labels.length);
    const bags = [users, items].map((ids) => ({ indices: ids.subarray(begin, end) }));
    yield { size: end - begin, labels: labels.subarray(begin, end), dense: new Float32Array(0), bags };
  }
}
