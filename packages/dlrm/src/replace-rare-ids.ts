import { mixBits, TtError } from "@tt-rec/tensor";
import type { Bags } from "@tt-rec/tt-kernels";
import type { Batch, BatchSource } from "./batch.ts";

/** Options of `replaceRareIds`. */
export interface RareIdOptions {
  /** How often each id of each table occurs in training, in the order of the batch's bags. */
  readonly counts: readonly ArrayLike<number>[];
  /** Share of the occurrences of rare ids that are replaced, from 0 to 1. */
  readonly share: number;
  /** Seed of the draw; with it, epoch, batch, table and position decide on each occurrence. */
  readonly seed: number;
  /** Ids that occur at most so often are rare. Default 1. */
  readonly atMost?: number;
  /** The id that takes their place. Default 0, which stands for unknown ids in data sets of criteo-loader. */
  readonly unknown?: number;
}

/**
 * The same source, but in training a share of the occurrences of rare ids becomes the id of unknown ones, so that its row
 * learns what a new id is worth: otherwise it is met first when a model is used. Which occurrences is drawn anew each
 * epoch, and is a function of the seed and the place alone, so a resumed run sees the same. Throws `E_OPTION`.
 */
export function replaceRareIds(source: BatchSource, options: RareIdOptions): BatchSource {
  const { counts, share, seed, atMost = 1, unknown = 0 } = options;
  if (!(share >= 0 && share <= 1)) throw new TtError("E_OPTION", `share = ${share} is not a number from 0 to 1`);
  for (const [name, value] of Object.entries({ seed, atMost, unknown })) {
    if (!Number.isSafeInteger(value)) throw new TtError("E_OPTION", `${name} = ${value} is not a whole number`);
  }
  const limit = share * 2 ** 32;
  const replaced = (bags: Bags, table: number, key: number): Bags => {
    const { indices } = bags;
    const occurrences = counts[table];
    let copy: Uint32Array | undefined;
    for (let p = 0; p < indices.length; p++) {
      if (occurrences[indices[p]] > atMost || mixBits(key + p) >>> 0 >= limit) continue;
      copy ??= indices.slice();
      copy[p] = unknown;
    }
    return copy === undefined ? bags : { ...bags, indices: copy };
  };
  return {
    rows: (split) => source.rows(split),
    async *batches(request) {
      const { split, epoch = 0, start = 0 } = request;
      let number = start;
      for await (const batch of source.batches(request)) {
        if (split !== "train") {
          yield batch;
          continue;
        }
        if (batch.bags.length !== counts.length)
          throw new TtError("E_OPTION", `there are counts of ${counts.length} tables, and the batch has ${batch.bags.length}`);
        const place = combine(combine(combine(0, seed), epoch), number++);
        yield { ...batch, bags: batch.bags.map((bags, t) => replaced(bags, t, combine(place, t))) } satisfies Batch;
      }
    },
  };
}

/** A word that depends on all bits of a key and of what comes next. */
function combine(key: number, next: number): number {
  return mixBits(mixBits(key) + Math.imul(next + 1, 0x9e3779b9));
}
