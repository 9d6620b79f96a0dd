import { type NamedTensors, type Runtime, type Tensor, TtError, type UpdateRule, validateUpdateRule } from "@tt-rec/tensor";
import {
  type Bags,
  type EmbeddingBag,
  type Lookup,
  type Plan,
  type PlanMode,
  type Pooling,
  type PreparedStep,
  resolveBags,
  type SliceGradients,
  selectPositions,
  TTEmbeddingBag,
  type TTEmbeddingBagOptions,
} from "@tt-rec/tt-kernels";
import { CacheMeter, type CacheMetrics } from "./cache-metrics.ts";
import type { CachePolicy, CachePolicyName } from "./cache-policy.ts";
import { readCacheState, splitState, writeCacheState } from "./cache-state.ts";
import type { RefreshScheduleOptions } from "./refresh-schedule.ts";
import { CACHED_ROWS, RowCache } from "./row-cache.ts";
import { RowChooser } from "./row-chooser.ts";

/** Options of `CachedTTEmbeddingBag`: those of the TT bag, the size of the cache, and when it takes new rows. */
export interface CachedTTEmbeddingBagOptions extends TTEmbeddingBagOptions, RefreshScheduleOptions {
  /** Most rows the cache can hold; the paper finds 0.01 % of the table's rows sufficient. */
  readonly cacheRows: number;
  /** How the cache takes new rows. Default `resident`. */
  readonly policy?: CachePolicyName | CachePolicy;
  /** Accesses of each row [numEmbeddings] that are known beforehand, such as those of the training rows; the cache starts with them. */
  readonly accessCounts?: ArrayLike<number>;
}

/** A batch split into its cached and its TT positions. */
interface SplitPlan {
  readonly generation: number;
  readonly weighted: boolean;
  readonly tt: Plan;
  readonly ttPositions: Uint32Array;
  readonly cached: Plan;
  readonly cachedPositions: Uint32Array;
}

/**
 * A TT embedding bag with the paper's cache of hot rows: the rows accessed most are kept uncompressed and trained on their
 * own. The policy says which rows a refresh takes, and whether those that stay keep what they have learned.
 *
 * Cached rows are weights of the model: forward, `toDense` and `state` see them in place of the cores' rows.
 */
export class CachedTTEmbeddingBag implements EmbeddingBag {
  readonly numEmbeddings: number;
  readonly embeddingDim: number;
  readonly #runtime: Runtime;
  readonly #newChooser: (accessCounts?: ArrayLike<number>) => RowChooser;
  readonly #pooling: Pooling;
  readonly #tt: TTEmbeddingBag;
  readonly #cache: RowCache;
  readonly #meter = new CacheMeter();
  readonly #plans = new WeakMap<Plan, SplitPlan>();
  /** The generation of the cached rows that a gradient is for. */
  readonly #gradients = new WeakMap<Tensor, number>();
  /** Which rows are to be cached, and when. */
  #chooser: RowChooser;
  /** Counts changes of the set of cached rows, which make older plans and gradients void. */
  #generation = 0;

  /** Allocates cores and cache. Throws `E_OPTION` on a bad cache size, schedule or policy, `E_SHAPE` on bad cores. */
  constructor(runtime: Runtime, options: CachedTTEmbeddingBagOptions) {
    const { shape, cacheRows, pooling = "sum", policy = "resident", accessCounts } = options;
    if (!(Number.isSafeInteger(cacheRows) && cacheRows >= 1 && cacheRows <= shape.numEmbeddings)) {
      throw new TtError(
        "E_OPTION",
        `cacheRows = ${cacheRows} is not a whole number from 1 to the number of embeddings, ${shape.numEmbeddings}`,
      );
    }
    if (accessCounts !== undefined && accessCounts.length !== shape.numEmbeddings) {
      throw new TtError("E_OPTION", `accessCounts has ${accessCounts.length} elements, the table ${shape.numEmbeddings} rows`);
    }
    this.#newChooser = (counts) => new RowChooser(policy, options, cacheRows, counts);
    this.#chooser = this.#newChooser(accessCounts);
    this.numEmbeddings = shape.numEmbeddings;
    this.embeddingDim = shape.embeddingDim;
    this.#runtime = runtime;
    this.#pooling = pooling;
    this.#tt = new TTEmbeddingBag(runtime, options);
    this.#cache = new RowCache(runtime, cacheRows, shape.embeddingDim, pooling);
  }

  get bytes(): number {
    return this.#tt.bytes + this.#cacheBytes;
  }

  get parameterBytes(): number {
    const rowBytes = (this.embeddingDim + 1) * Float32Array.BYTES_PER_ELEMENT;
    return this.#tt.parameterBytes + this.#cache.size * rowBytes;
  }

  /** Hit rate, evictions, refresh time and bytes of the cache. */
  get metrics(): CacheMetrics {
    return this.#meter.read(this.#cache.size, this.#cacheBytes);
  }

  plan(bags: Bags, mode: PlanMode): Plan {
    const lookup = resolveBags(bags, this.#pooling, this.numEmbeddings);
    const split = this.#split(lookup, mode);
    if (mode.training) {
      this.#chooser.observe(lookup.rows);
      this.#meter.countStep(split.cachedPositions.length, lookup.rows.length, split.cached, split.tt);
    }
    const plan: Plan = {
      outputs: lookup.outputs,
      lookups: lookup.rows.length,
      get uniqueRows() {
        return split.tt.uniqueRows + split.cached.uniqueRows;
      },
    };
    this.#plans.set(plan, split);
    return plan;
  }

  async forward(plan: Plan): Promise<Tensor> {
    const { tt, cached } = this.#details(plan);
    const out = await this.#tt.forward(tt);
    if (cached.lookups > 0) {
      const fromCache = (await this.#cache.rows.forward(cached)).data;
      const sum = out.data;
      for (let i = 0; i < sum.length; i++) sum[i] += fromCache[i];
    }
    return out;
  }

  async backward(plan: Plan, gradient: Tensor): Promise<SliceGradients> {
    const split = this.#details(plan);
    const tt = await this.#tt.backward(split.tt, gradient);
    const cached = await this.#cache.rows.backward(split.cached, gradient);
    for (const { values } of cached.parts) this.#gradients.set(values, split.generation);
    const parts = [...tt.parts, ...cached.parts];
    const sumOfSquares = tt.sumOfSquares + cached.sumOfSquares;
    if (!split.weighted) return { parts, sumOfSquares };
    const weights = this.#runtime.scratch([plan.lookups]);
    scatter(weights, split.ttPositions, tt.weights);
    scatter(weights, split.cachedPositions, cached.weights);
    return { parts, sumOfSquares, weights };
  }

  /**
   * Updates cores and cached rows, counts a training step, and refreshes the cache if one is due at its end.
   * Throws `E_STALE_PLAN` on gradients that are older than the last refresh: their rows may have left the cache.
   */
  async apply({ parts, sumOfSquares }: SliceGradients, rule: UpdateRule, cachedRule: UpdateRule = rule): Promise<void> {
    validateUpdateRule(rule);
    validateUpdateRule(cachedRule);
    const tt = { sumOfSquares, parts: parts.filter(({ parameter }) => parameter !== CACHED_ROWS) };
    const cached = { sumOfSquares, parts: parts.filter(({ parameter }) => parameter === CACHED_ROWS) };
    // The TT bag checks its part before it writes, so the cached part must be known to be good by then.
    for (const { values } of cached.parts) this.#assertCurrent(this.#gradients.get(values) ?? this.#generation);
    this.#cache.rows.checkGradients(cached);
    await this.#tt.apply(tt, rule);
    await this.#cache.rows.apply(cached, cachedRule);
    await this.#countStep();
  }

  async prepare(plan: Plan, gradient: Tensor): Promise<PreparedStep> {
    const split = this.#details(plan);
    const tt = await this.#tt.prepare(split.tt, gradient);
    const cached = await this.#cache.rows.prepare(split.cached, gradient);
    return {
      finite: tt.finite && cached.finite,
      apply: async (rule, cachedRule = rule) => {
        validateUpdateRule(rule);
        validateUpdateRule(cachedRule);
        this.#assertCurrent(split.generation);
        await tt.apply(rule);
        await cached.apply(cachedRule);
        await this.#countStep();
      },
    };
  }

  async step(plan: Plan, gradient: Tensor, rule: UpdateRule): Promise<void> {
    validateUpdateRule(rule);
    await (await this.prepare(plan, gradient)).apply(rule);
  }

  async state(): Promise<NamedTensors> {
    return writeCacheState(await this.#tt.state(), await this.#cache.rows.state(), this.#cache.ids, this.#chooser);
  }

  async load(state: NamedTensors): Promise<void> {
    const { tt, rows, own } = splitState(state);
    const chooser = this.#newChooser();
    const ids = readCacheState(own, chooser, this.#cache.capacity, this.numEmbeddings);
    // The TT bag checks its part before it writes, so the other parts must be known to be good by then.
    this.#cache.rows.checkState(rows);
    await this.#tt.load(tt);
    await this.#cache.rows.load(rows);
    this.#cache.assign(ids);
    this.#chooser = chooser;
    this.#generation++;
  }

  async toDense(): Promise<Tensor> {
    const dense = await this.#tt.toDense();
    const rows = await this.#cache.rows.toDense();
    const [table, cached, dim] = [dense.data, rows.data, this.embeddingDim];
    for (const [slot, id] of this.#cache.ids.entries()) table.set(cached.subarray(slot * dim, (slot + 1) * dim), id * dim);
    rows.dispose();
    return dense;
  }

  dispose(): void {
    this.#tt.dispose();
    this.#cache.rows.dispose();
  }

  get #cacheBytes(): number {
    return this.#cache.bytes + this.#chooser.bytes;
  }

  #details(plan: Plan): SplitPlan {
    const details = this.#plans.get(plan);
    if (details === undefined) throw new TtError("E_OPTION", "the plan was made by another embedding bag");
    this.#assertCurrent(details.generation);
    return details;
  }

  #assertCurrent(generation: number): void {
    if (generation === this.#generation) return;
    throw new TtError(
      "E_STALE_PLAN",
      `the cache has taken other rows since the batch was planned, up to step ${this.#chooser.step}; plan the batch again`,
    );
  }

  #split(lookup: Lookup, mode: PlanMode): SplitPlan {
    const slots = new Int32Array(lookup.rows.length);
    let hits = 0;
    for (let p = 0; p < slots.length; p++) {
      slots[p] = this.#cache.slotOf(lookup.rows[p]);
      if (slots[p] >= 0) hits++;
    }
    const cachedPositions = new Uint32Array(hits);
    const ttPositions = new Uint32Array(slots.length - hits);
    let [c, t] = [0, 0];
    for (let p = 0; p < slots.length; p++) {
      if (slots[p] >= 0) cachedPositions[c++] = p;
      else ttPositions[t++] = p;
    }
    const cachedSlots = cachedPositions.map((p) => slots[p]);
    return {
      generation: this.#generation,
      weighted: lookup.weightFactors !== undefined,
      tt: this.#tt.planLookup(hits === 0 ? lookup : selectPositions(lookup, ttPositions), mode),
      ttPositions,
      cached: this.#cache.rows.planLookup(selectPositions(lookup, cachedPositions, cachedSlots)),
      cachedPositions,
    };
  }

  /** Counts a training step, and refreshes the cache if one is due at its end. */
  async #countStep(): Promise<void> {
    const start = performance.now();
    const ids = this.#chooser.endStep(this.#cache.ids);
    if (ids === undefined) return;
    const { entered, slots, dropped } = this.#chooser.policy.keepsRows ? this.#cache.exchange(ids) : this.#replaceAll(ids);
    const rows = await this.#tt.forward(this.#tt.planLookup({ outputs: entered.length, rows: entered }, { training: false }));
    this.#cache.fill(slots, rows.data);
    this.#generation++;
    this.#meter.countRefresh(entered.length, dropped, performance.now() - start);
  }

  /** Has all rows enter, those that are cached already too. */
  #replaceAll(ids: Uint32Array): ReturnType<RowCache["exchange"]> {
    return { entered: ids, slots: Uint32Array.from(ids, (_, slot) => slot), dropped: this.#cache.assign(ids) };
  }
}

function scatter(target: Tensor, positions: Uint32Array, source: Tensor | undefined): void {
  if (source === undefined) return;
  const [to, from] = [target.data, source.data];
  for (let i = 0; i < positions.length; i++) to[positions[i]] = from[i];
}
