import type { Batch, BatchSource } from "@tt-rec/dlrm";
import { type CachePolicy, type RowCounter, SetCounter } from "@tt-rec/tt-cache";

/** Counts under `resident`, four places a row; what the cache tells of is left out, since it was counted when it was read. */
class AnnouncedCounter implements RowCounter {
  readonly #counter: SetCounter;

  constructor(capacity: number) {
    this.#counter = new SetCounter(4 * capacity);
  }

  get bytes(): number {
    return this.#counter.bytes;
  }

  get total(): number {
    return this.#counter.total;
  }

  observe(): void {}

  addEach(): void {}

  announce(ids: Uint32Array): void {
    this.#counter.observe(ids);
  }

  count(id: number): number {
    return this.#counter.count(id);
  }

  aging(): ReturnType<RowCounter["aging"]> {
    return this.#counter.aging();
  }

  ranking(k: number): ReturnType<RowCounter["ranking"]> {
    return this.#counter.ranking(k);
  }

  apart(some: Uint32Array): ReturnType<RowCounter["apart"]> {
    return this.#counter.apart(some);
  }

  state(): ReturnType<RowCounter["state"]> {
    return this.#counter.state();
  }

  load(): void {
    throw new Error("only measured");
  }
}

/** What a loader that reads ahead could tell caches: the accesses of batches some steps before they are trained. */
export class Lookahead {
  readonly #steps: number;
  readonly #counters = new Map<number, AnnouncedCounter>();

  constructor(steps: number) {
    this.#steps = steps;
  }

  /** `policy` for the cache of a table, which counts accesses when they are read. */
  policyFor(table: number, policy: CachePolicy): CachePolicy {
    const createCounter = (capacity: number): RowCounter => {
      const counter = new AnnouncedCounter(capacity);
      this.#counters.set(table, counter);
      return counter;
    };
    return { ...policy, createCounter };
  }

  /** A source that is read ahead. */
  read(source: BatchSource): BatchSource {
    return { rows: (split) => source.rows(split), batches: (request) => this.#batches(source.batches(request)) };
  }

  async *#batches(source: AsyncIterable<Batch>): AsyncGenerator<Batch> {
    const waiting: Batch[] = [];
    for await (const batch of source) {
      for (const [table, counter] of this.#counters) counter.announce(batch.bags[table].indices);
      // The loader's batches may be views that the next one overwrites.
      waiting.push({ ...batch, labels: batch.labels.slice(), dense: batch.dense.slice(), bags: batch.bags.map(copyBags) });
      if (waiting.length > this.#steps) yield waiting.shift() as Batch;
    }
    yield* waiting;
  }
}

function copyBags({ indices, ...rest }: Batch["bags"][number]): Batch["bags"][number] {
  return { ...rest, indices: indices.slice() };
}
