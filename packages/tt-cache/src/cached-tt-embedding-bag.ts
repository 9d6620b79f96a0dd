import {
  type Lifetime,
  type NamedTensors,
  type Runtime,
  type Tensor,
  TtError,
  type UpdateRule,
  validateUpdateRule,
} from "@tt-rec/tensor";
import {
  type BagPhases,
  type Bags,
  type EmbeddingBag,
  type Lookup,
  NO_ROW,
  type OverlaidPlan,
  type PhasedStep,
  type Phases,
  type Plan,
  PlanBook,
  type PlanMode,
  type Pooling,
  type PreparedStep,
  resolveBags,
  runPhases,
  type SliceGradients,
  TTEmbeddingBag,
  type TTEmbeddingBagOptions,
} from "@tt-rec/tt-kernels";
import type { RowStorage } from "@tt-rec/tt-math";
import { CacheMeter, type CacheMetrics } from "./cache-metrics.ts";
import type { CachePolicy, CachePolicyName } from "./cache-policy.ts";
import { type CacheSizeOptions, resolveCacheRows } from "./cache-size.ts";
import { checkStorage, readCacheState, splitState, writeCacheState } from "./cache-state.ts";
import { NONE_ENTERING, takePortion } from "./entering.ts";
import type { RefreshScheduleOptions } from "./refresh-schedule.ts";
import { CACHED_ROWS, RowCache } from "./row-cache.ts";
import { RowChooser } from "./row-chooser.ts";
import { checkRoundingSeed, checkRowStorage, rowBytes } from "./row-storage.ts";

/** Options of `CachedTTEmbeddingBag`: those of the TT bag, the size of the cache, and when it takes new rows. */
export interface CachedTTEmbeddingBagOptions extends TTEmbeddingBagOptions, CacheSizeOptions, RefreshScheduleOptions {
  /** How the cache takes new rows. Default `resident`. */
  readonly policy?: CachePolicyName | CachePolicy;
  /** Accesses of each row [numEmbeddings] that are known beforehand, such as those of the training rows; the cache starts with them. */
  readonly accessCounts?: ArrayLike<number>;
  /**
   * How cached rows are held: `float32` (default), or `int8`: a byte an element and a scale a row, rounded stochastically after each
   * update, for more rows in the same bytes. Optimizer state is the same for both: none for SGD, a number a row for
   * `rowWiseAdagrad`, one an element for Adagrad and momentum, two for Adam, in float32.
   */
  readonly rowStorage?: RowStorage;
  /** Seeds the rounding of int8 rows, a whole number below 2^32. Default 1. A state brings its own along. */
  readonly roundingSeed?: number;
}

/** A batch split into its cached and its TT positions; split anew when the cache has taken other rows meanwhile. */
class CachedBatch {
  readonly lookup: Lookup;
  readonly mode: PlanMode;
  /** The rows that were cached when the plan was made, and the step that it was made in. */
  generation: number;
  life: Readonly<Lifetime> | undefined;
  plan: OverlaidPlan;
  readonly #renew: (batch: CachedBatch) => void;

  constructor(
    { lookup, mode, generation, life, plan }: Pick<CachedBatch, "lookup" | "mode" | "generation" | "life" | "plan">,
    renew: (batch: CachedBatch) => void,
  ) {
    this.lookup = lookup;
    this.mode = mode;
    this.generation = generation;
    this.life = life;
    this.plan = plan;
    this.#renew = renew;
  }

  /** Distinct rows. */
  get uniqueRows(): number {
    return this.#livePlan.uniqueRows;
  }

  /** Those that are cached. */
  get uniqueCached(): number {
    return this.#livePlan.uniqueLaid;
  }

  /** The plan, made anew if its lists died with their step. */
  get #livePlan(): OverlaidPlan {
    if (this.life?.alive === false) this.#renew(this);
    return this.plan;
  }
}

/**
 * A TT embedding bag with the paper's cache of hot rows: the rows accessed most are kept uncompressed and trained on their
 * own. The policy says which rows a refresh takes, and whether those that stay keep what they have learned.
 *
 * Cached rows are weights of the model: forward, `toDense` and `state` see them in place of the cores' rows. The rows that a refresh
 * chooses enter in portions, at the ends of this step and the next ones, the most accessed first.
 */
export class CachedTTEmbeddingBag implements EmbeddingBag {
  readonly numEmbeddings: number;
  readonly embeddingDim: number;
  readonly phases: BagPhases = {
    sort: (plan) => this.#tt.phases.sort(this.#currentPlan(plan)),
    forward: (plan) => this.#tt.phases.forward(this.#currentPlan(plan)),
    prepare: (plan, gradient) => this.#prepare(plan, gradient),
  };
  readonly #runtime: Runtime;
  readonly #newChooser: (accessCounts?: ArrayLike<number>) => RowChooser;
  readonly #pooling: Pooling;
  readonly #tt: TTEmbeddingBag;
  readonly #cache: RowCache;
  readonly #storage: RowStorage;
  readonly #meter = new CacheMeter();
  readonly #plans = new PlanBook<CachedBatch>();
  /** The generation of the cached rows that a gradient is for. */
  readonly #gradients = new WeakMap<Tensor, number>();
  /** Which rows are to be cached, and when. */
  #chooser: RowChooser;
  /** Rows that the last refresh chose and that have not entered yet. */
  #entering = NONE_ENTERING;
  /** Counts changes of the set of cached rows, which make older gradients void. */
  #generation = 0;

  /** Allocates cores and cache. Throws `E_OPTION` on a bad cache size, storage, schedule or policy, `E_SHAPE` on bad cores. */
  constructor(runtime: Runtime, options: CachedTTEmbeddingBagOptions) {
    const {
      shape,
      pooling = "sum",
      policy = "resident",
      accessCounts,
      rowStorage: storage = "float32",
      roundingSeed: seed = 1,
    } = options;
    checkRowStorage(storage);
    checkRoundingSeed(seed);
    const cacheRows = resolveCacheRows(options, shape, storage);
    if (accessCounts !== undefined && accessCounts.length !== shape.numEmbeddings) {
      throw new TtError("E_OPTION", `accessCounts has ${accessCounts.length} elements, the table ${shape.numEmbeddings} rows`);
    }
    this.#newChooser = (counts) => new RowChooser(policy, options, cacheRows, counts, runtime);
    this.#chooser = this.#newChooser(accessCounts);
    this.numEmbeddings = shape.numEmbeddings;
    this.embeddingDim = shape.embeddingDim;
    this.#runtime = runtime;
    this.#pooling = pooling;
    this.#storage = storage;
    const rounding = { storage, seed, step: () => this.#chooser.step };
    this.#cache = new RowCache(runtime, cacheRows, shape.embeddingDim, rounding);
    this.#tt = new TTEmbeddingBag(runtime, options, this.#cache.rows);
  }

  get bytes(): number {
    return this.#tt.bytes + this.#cache.mapBytes + this.#chooser.bytes;
  }

  get parameterBytes(): number {
    const bytesWithId = rowBytes(this.embeddingDim, this.#storage) + Uint32Array.BYTES_PER_ELEMENT;
    return this.#tt.parameterBytes + this.#cache.size * bytesWithId;
  }

  /** Hit rate, evictions, refresh time and bytes of the cache. */
  get metrics(): CacheMetrics {
    return this.#meter.read(this.#cache.size, this.#cache.rows.bytes + this.#cache.mapBytes + this.#chooser.bytes);
  }

  plan(bags: Bags, mode: PlanMode): Plan {
    // Ids are checked where they are looked up.
    const lookup = resolveBags(bags, this.#pooling);
    const probed = this.#cache.probe(lookup, mode.training, this.numEmbeddings);
    const life = this.#life;
    const plan = this.#tt.planOverlaid(probed, mode);
    const batch = new CachedBatch({ lookup, mode, generation: this.#generation, life, plan }, this.#renew);
    if (mode.training) {
      this.#chooser.observe(probed.missed, lookup.rows.length);
      this.#meter.countStep(probed.laid.length, lookup.rows.length, batch);
    }
    return this.#plans.issue(lookup, batch);
  }

  async forward(plan: Plan): Promise<Tensor> {
    return this.#tt.forward(this.#currentPlan(plan));
  }

  async backward(plan: Plan, gradient: Tensor): Promise<SliceGradients> {
    const gradients = await this.#tt.backward(this.#currentPlan(plan), gradient);
    for (const { parameter, values } of gradients.parts) {
      if (parameter === CACHED_ROWS) this.#gradients.set(values, this.#generation);
    }
    return gradients;
  }

  /**
   * Updates cores and cached rows, counts a training step, and goes on with the refresh that is due at its end or under way.
   * Throws `E_STALE_PLAN` on gradients that are older than the last change of the cache: their rows may have left it.
   */
  async apply(gradients: SliceGradients, rule: UpdateRule, cachedRule: UpdateRule = rule): Promise<void> {
    for (const each of [rule, cachedRule]) validateUpdateRule(each);
    for (const { values } of gradients.parts) this.#assertCurrent(this.#gradients.get(values) ?? this.#generation);
    await this.#tt.apply(gradients, rule, cachedRule);
    await this.#run(this.#endStep());
  }

  async prepare(plan: Plan, gradient: Tensor): Promise<PreparedStep> {
    return this.#run(this.#prepare(plan, gradient));
  }

  async step(plan: Plan, gradient: Tensor, rule: UpdateRule): Promise<void> {
    await this.#tt.step(this.#currentPlan(plan), gradient, rule);
    await this.#run(this.#endStep());
  }

  async state(): Promise<NamedTensors> {
    const { ids, accesses, seed } = this.#cache;
    const slots = { ids, accesses, entering: this.#entering, ...(this.#storage === "int8" && { roundingSeed: seed }) };
    return writeCacheState(await this.#tt.state(), slots, this.#chooser);
  }

  async load(state: NamedTensors): Promise<void> {
    checkStorage(state, this.#storage);
    const { parameters, own } = splitState(state, this.#cache.rows.stateNames);
    const chooser = this.#newChooser();
    let slots: ReturnType<typeof readCacheState>;
    try {
      slots = readCacheState(own, chooser, this.#cache.capacity, this.numEmbeddings);
      // The TT bag checks the parameters before it writes.
      await this.#tt.load(parameters);
    } catch (error) {
      chooser.dispose();
      throw error;
    }
    this.#chooser.dispose();
    this.#cache.assign(slots.ids, slots.accesses);
    this.#cache.seed = slots.roundingSeed ?? this.#cache.seed;
    this.#entering = slots.entering;
    this.#chooser = chooser;
    this.#generation++;
  }

  async toDense(): Promise<Tensor> {
    const dense = await this.#tt.toDense();
    const table = dense.data;
    for (const [slot, id] of this.#cache.ids.entries()) {
      if (id !== NO_ROW) table.set(this.#cache.row(slot), id * this.embeddingDim);
    }
    return dense;
  }

  dispose(): void {
    this.#tt.dispose();
    this.#cache.dispose();
    this.#chooser.dispose();
  }

  *#prepare(plan: Plan, gradient: Tensor): Phases<PhasedStep> {
    const step = yield* this.#tt.phases.prepare(this.#currentPlan(plan), gradient);
    const generation = this.#generation;
    const apply = (rule: UpdateRule, cachedRule = rule): Phases<void> => {
      for (const each of [rule, cachedRule]) validateUpdateRule(each);
      this.#assertCurrent(generation);
      const update = step.applyPhases(rule, cachedRule);
      return this.#thenEndStep(update);
    };
    return { finite: step.finite, applyPhases: apply, apply: async (rule, cachedRule) => this.#run(apply(rule, cachedRule)) };
  }

  /** The plan of a batch for the rows that are cached now. */
  #currentPlan(plan: Plan): Plan {
    const batch = this.#plans.details(plan);
    const isCurrent = batch.generation === this.#generation && batch.life?.alive !== false;
    if (!isCurrent) this.#renew(batch);
    return batch.plan;
  }

  /** Splits a batch anew, without counting its accesses again. */
  readonly #renew = (batch: CachedBatch): void => {
    batch.generation = this.#generation;
    batch.life = this.#life;
    batch.plan = this.#tt.planOverlaid(this.#cache.probe(batch.lookup, false), batch.mode);
  };

  /** The life of the open step, if there is one. */
  get #life(): Readonly<Lifetime> | undefined {
    return this.#runtime.isStepOpen ? this.#runtime.scratchLife : undefined;
  }

  #assertCurrent(generation: number): void {
    if (generation === this.#generation) return;
    throw new TtError(
      "E_STALE_PLAN",
      `the cache has taken other rows since the gradients were computed, up to step ${this.#chooser.step}; compute them again`,
    );
  }

  *#thenEndStep(update: Phases<void>): Phases<void> {
    yield* update;
    yield* this.#endStep();
  }

  /** Counts a training step, chooses rows if a refresh is due at its end, and lets a portion of them enter. */
  *#endStep(): Phases<void> {
    const start = performance.now();
    this.#meter.countDistinct();
    const cache = this.#cache;
    const wasBusy = this.#chooser.isBusy || this.#entering.ids.length > 0;
    const chosen = this.#chooser.endStep(cache, this.#entering.ids.length > 0, () => cache.takeAllAccesses());
    const dropped = chosen === undefined ? 0 : cache.size - chosen.held;
    if (chosen !== undefined) this.#entering = chosen.entering;
    else if (!wasBusy && !this.#chooser.isBusy) return;
    const entered = yield* this.#letRowsEnter(chosen?.spare);
    this.#meter.countRefresh(chosen !== undefined, entered, dropped, performance.now() - start);
  }

  /** Computes a portion of the entering rows from the cores and gives them their slots. Returns how many they are. */
  *#letRowsEnter(spare?: number): Phases<number> {
    const [{ ids, slots }, later] = takePortion(this.#entering, this.#cache.capacity, spare);
    this.#entering = later;
    if (ids.length === 0) return 0;
    const plan = this.#tt.planLookup({ outputs: ids.length, rows: ids }, { training: false });
    const rows = yield* this.#tt.phases.forward(plan);
    const left = this.#cache.take(slots, ids);
    this.#chooser.count(left.ids, left.accesses);
    this.#cache.fill(slots, rows.data);
    this.#generation++;
    return ids.length;
  }

  #run<T>(phases: Phases<T>): Promise<T> {
    return runPhases(this.#runtime.host, phases);
  }
}
