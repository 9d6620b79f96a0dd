import { mixBits, type Tensor, type UpdateRule } from "@tt-rec/tensor";
import { CachedTTEmbeddingBag } from "@tt-rec/tt-cache";
import type { Plan, PreparedStep, SliceGradients } from "@tt-rec/tt-kernels";
import { WrappedCachedBag } from "./wrapped-cached-bag.ts";

/** Bytes a row besides its values: its id, its accesses, and four counted ids with their counts. */
const BYTES_BESIDES = 8 + 4 * 8;

/** Bytes of rows, map and counters of a cache. */
function bytesOf(rows: number, bytesPerRow: number): number {
  return rows * (bytesPerRow + BYTES_BESIDES) + 8 * 2 ** Math.ceil(Math.log2(4 * rows));
}

/** How many int8 rows with a scale of their own take no more bytes, all counted, than so many float32 rows. */
export function int8RowsFor(rows: number, embeddingDim: number, most: number): number {
  const budget = bytesOf(rows, 4 * embeddingDim);
  let fitting = rows;
  while (fitting < most && bytesOf(fitting + 1, embeddingDim + 4) <= budget) fitting++;
  return fitting;
}

/**
 * A cached bag whose cached rows have int8 values with a scale a row, rounded stochastically after each update: what a row is rounded
 * by follows from seed, step, slot and column. The rows are float32 in memory, since only what models learn is of interest.
 */
export class Int8CachedBag extends WrappedCachedBag {
  readonly #seed: number;
  /** The rows as they were rounded last. */
  #rounded = new Float32Array(0);
  #step = 0;

  constructor(seed: number, ...[runtime, options]: ConstructorParameters<typeof CachedTTEmbeddingBag>) {
    super(new CachedTTEmbeddingBag(runtime, options));
    this.#seed = seed;
  }

  override async apply(gradients: SliceGradients, rule: UpdateRule): Promise<void> {
    await super.apply(gradients, rule);
    await this.#round();
  }

  override async prepare(plan: Plan, gradient: Tensor): Promise<PreparedStep> {
    const step = await super.prepare(plan, gradient);
    return {
      finite: step.finite,
      apply: async (...rules) => {
        await step.apply(...rules);
        await this.#round();
      },
    };
  }

  /** Rounds the rows that the step has changed. */
  async #round(): Promise<void> {
    // Weights in a state are views of the parameters.
    const rows = (await this.cache.state()).get("cache.rows")?.data as Float32Array;
    if (this.#rounded.length === 0) this.#rounded = rows.slice();
    const [dim, rounded] = [this.embeddingDim, this.#rounded];
    const key = mixBits(mixBits(this.#seed) + ++this.#step);
    for (let begin = 0; begin < rows.length; begin += dim) {
      let at = begin;
      while (at < begin + dim && rows[at] === rounded[at]) at++;
      if (at === begin + dim) continue;
      roundRow(rows, begin, begin + dim, key);
      for (let i = begin; i < begin + dim; i++) rounded[i] = rows[i];
    }
  }
}

/** Rounds a row to multiples of a 127th of its largest value, up as often as it is above the next lower one: right in the mean. */
function roundRow(rows: Float32Array, begin: number, end: number, key: number): void {
  let largest = 0;
  for (let i = begin; i < end; i++) largest = Math.max(largest, Math.abs(rows[i]));
  const scale = Math.fround(largest / 127);
  if (scale === 0) return;
  for (let i = begin; i < end; i++) {
    const chance = (mixBits(mixBits(key + i) + 0x9e3779b9) >>> 0) / 2 ** 32;
    rows[i] = scale * Math.min(127, Math.max(-127, Math.floor(rows[i] / scale + chance)));
  }
}
