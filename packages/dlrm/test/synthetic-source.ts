import { createRng } from "@tt-rec/tensor";
import type { Batch, BatchSource, DlrmConfig } from "../src/index.ts";

interface Sample {
  readonly label: number;
  readonly dense: readonly number[];
  readonly ids: readonly number[];
}

/** A learnable data set: each id and each dense feature pushes the log-odds of a click. Every request is a pure function. */
export function syntheticSource(config: DlrmConfig, rows: number): BatchSource & { readonly closed: () => number } {
  const truth = createRng(77);
  const pushes = config.tables.map(({ numEmbeddings }) => Array.from({ length: numEmbeddings }, () => 2 * truth.normal()));
  const splits = { train: samples(1), validation: samples(2), test: samples(3) };
  let closed = 0;

  function samples(seed: number): Sample[] {
    const rng = createRng(seed);
    return Array.from({ length: rows }, () => {
      const dense = Array.from({ length: config.denseFeatures }, () => rng.normal());
      const ids = config.tables.map(({ numEmbeddings }) => Math.floor(rng.uniform() ** 2 * numEmbeddings));
      const logit = ids.reduce((sum, id, t) => sum + pushes[t][id], dense[0] ?? 0);
      return { label: rng.uniform() < 1 / (1 + Math.exp(-logit)) ? 1 : 0, dense, ids };
    });
  }

  return {
    closed: () => closed,
    rows: () => rows,
    async *batches({ split, batchSize, shuffle = false, seed = 0, epoch = 0, start = 0 }) {
      const all = splits[split];
      const order = Array.from(all.keys());
      const rng = createRng(seed, epoch);
      for (let i = order.length - 1; shuffle && i > 0; i--) {
        const j = Math.floor(rng.uniform() * (i + 1));
        [order[i], order[j]] = [order[j], order[i]];
      }
      try {
        for (let first = start * batchSize; first < all.length; first += batchSize) {
          yield batchOf(order.slice(first, first + batchSize).map((row) => all[row]));
        }
      } finally {
        closed++;
      }
    },
  };

  function batchOf(part: readonly Sample[]): Batch {
    return {
      size: part.length,
      labels: Float32Array.from(part, ({ label }) => label),
      dense: Float32Array.from(part.flatMap(({ dense }) => dense)),
      bags: config.tables.map((_, t) => ({ indices: Uint32Array.from(part, ({ ids }) => ids[t]) })),
    };
  }
}
