import type { NamedTensors, Tensor, UpdateRule } from "@tt-rec/tensor";
import { CachedTTEmbeddingBag, type CachedTTEmbeddingBagOptions, type CachePolicy, type RowCounter } from "@tt-rec/tt-cache";
import type { Bags, EmbeddingBag, Plan, PlanMode, PreparedStep, SliceGradients } from "@tt-rec/tt-kernels";

/** Scores fall to half of their weight after as many accesses a cached row as counts do under `resident`. */
const AGE = 50;

/** Sums of squared gradients instead of accesses; rows that stay keep what they have learned. One policy a cache. */
class EnergyPolicy implements CachePolicy {
  readonly keepsRows = true;
  readonly fills = "at once";
  readonly scores = new EnergyScores();

  createCounter(): RowCounter {
    return this.scores;
  }

  *selectRows(counter: RowCounter, capacity: number, held: Uint32Array): Generator<number, Uint32Array, undefined> {
    const { ids: top } = yield* counter.ranking(capacity);
    if (counter.total >= AGE * capacity) yield* counter.aging();
    const rows = new Set(top);
    for (const id of held) if (rows.size < capacity) rows.add(id);
    return Uint32Array.from(rows);
  }
}

/** Scores of all rows that were seen; a Map, since only what they choose is of interest. */
class EnergyScores implements RowCounter {
  #scores = new Map<number, number>();
  total = 0;

  get bytes(): number {
    return 24 * this.#scores.size;
  }

  /** Accesses set the pace of aging only. */
  observe(ids: Uint32Array): void {
    this.total += ids.length;
  }

  addEach(_ids: Uint32Array, counts: Uint32Array): void {
    for (const count of counts) this.total += count;
  }

  /** Adds the squared gradient of a row. */
  score(id: number, energy: number): void {
    this.#scores.set(id, (this.#scores.get(id) ?? 0) + energy);
  }

  count(id: number): number {
    return this.#scores.get(id) ?? 0;
  }

  *aging(): Generator<number, void, undefined> {
    yield this.#scores.size;
    this.total /= 2;
    for (const [id, score] of this.#scores) this.#scores.set(id, score / 2);
  }

  apart(): never {
    throw new Error("only ranked");
  }

  *ranking(k: number): ReturnType<RowCounter["ranking"]> {
    yield this.#scores.size;
    const best = [...this.#scores].sort(([a, x], [b, y]) => y - x || a - b).slice(0, k);
    return { ids: Uint32Array.from(best, ([id]) => id), counts: Uint32Array.from(best, ([, score]) => score) };
  }

  state(): NamedTensors {
    return new Map();
  }

  load(): void {
    throw new Error("scores are not saved");
  }
}

/** A cached bag whose rows are chosen by the sums of their squared gradients: one id a bag, as in the data sets of this benchmark. */
export class EnergyCachedBag implements EmbeddingBag {
  readonly cache: CachedTTEmbeddingBag;
  readonly #policy = new EnergyPolicy();
  readonly #ids = new WeakMap<Plan, Uint32Array>();

  constructor(...[runtime, options]: ConstructorParameters<typeof CachedTTEmbeddingBag>) {
    this.cache = new CachedTTEmbeddingBag(runtime, { ...options, policy: this.#policy } satisfies CachedTTEmbeddingBagOptions);
  }

  get numEmbeddings(): number {
    return this.cache.numEmbeddings;
  }

  get embeddingDim(): number {
    return this.cache.embeddingDim;
  }

  get bytes(): number {
    return this.cache.bytes;
  }

  get parameterBytes(): number {
    return this.cache.parameterBytes;
  }

  plan(bags: Bags, mode: PlanMode): Plan {
    const plan = this.cache.plan(bags, mode);
    if (mode.training) this.#ids.set(plan, bags.indices);
    return plan;
  }

  forward(plan: Plan): Promise<Tensor> {
    return this.cache.forward(plan);
  }

  backward(plan: Plan, gradient: Tensor): Promise<SliceGradients> {
    return this.cache.backward(plan, gradient);
  }

  apply(gradients: SliceGradients, rule: UpdateRule): Promise<void> {
    return this.cache.apply(gradients, rule);
  }

  prepare(plan: Plan, gradient: Tensor): Promise<PreparedStep> {
    const ids = this.#ids.get(plan) ?? new Uint32Array(0);
    const [values, dim] = [gradient.data, this.embeddingDim];
    // The gradient of a row in a step is the sum over its positions.
    const rows = new Map<number, Float64Array>();
    for (const [position, id] of ids.entries()) {
      let row = rows.get(id);
      if (row === undefined) {
        row = new Float64Array(dim);
        rows.set(id, row);
      }
      for (let j = 0; j < dim; j++) row[j] += values[position * dim + j];
    }
    for (const [id, row] of rows)
      this.#policy.scores.score(
        id,
        row.reduce((sum, value) => sum + value * value, 0),
      );
    return this.cache.prepare(plan, gradient);
  }

  async step(plan: Plan, gradient: Tensor, rule: UpdateRule): Promise<void> {
    await (await this.prepare(plan, gradient)).apply(rule);
  }

  state(): Promise<NamedTensors> {
    return this.cache.state();
  }

  load(state: NamedTensors): Promise<void> {
    return this.cache.load(state);
  }

  toDense(): Promise<Tensor> {
    return this.cache.toDense();
  }

  dispose(): void {
    this.cache.dispose();
  }
}
