import { type NamedTensors, type Runtime, type Tensor, TtError, type UpdateRule, validateUpdateRule } from "@tt-rec/tensor";
import {
  type BagPhases,
  type Bags,
  type EmbeddingBag,
  type Lookup,
  NO_ROW,
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
import { AccessCounter } from "./access-counter.ts";
import { CacheMeter, type CacheMetrics } from "./cache-metrics.ts";
import { ageAccesses, CACHE_POLICIES, type CachePolicy, selectRows } from "./cache-policy.ts";
import { readCacheState, splitState, writeCacheState } from "./cache-state.ts";
import { CACHED_ROWS, type Entering, RowCache } from "./row-cache.ts";
import { isRefreshDue, type SemiDynamicSchedule, validateSchedule } from "./semi-dynamic-schedule.ts";

/** Options of `CachedTTEmbeddingBag`: those of the TT bag, the size of the cache, and when it takes new rows. */
export interface CachedTTEmbeddingBagOptions extends TTEmbeddingBagOptions, SemiDynamicSchedule {
  /** Most rows the cache can hold; the paper finds 0.01 % of the table's rows sufficient. */
  readonly cacheRows: number;
  /** How the cache takes new rows. Default `resident`. */
  readonly policy?: CachePolicy;
}

/** Fewest rows that enter the cache at the end of a step, if so many are to: they take about as long as a step of a small batch. */
const ENTERING_ROWS = 512;

const NOTHING: Entering = { ids: new Uint32Array(0), slots: new Uint32Array(0) };

/** A batch split into its cached and its TT positions; split anew when the cache has taken other rows meanwhile. */
interface CachedBatch {
  readonly lookup: Lookup;
  readonly mode: PlanMode;
  generation: number;
  plan: Plan;
  readonly uniqueRows: number;
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
    forward: (plan) => this.#tt.phases.forward(this.#currentPlan(plan)),
    prepare: (plan, gradient) => this.#prepare(plan, gradient),
  };
  readonly #runtime: Runtime;
  readonly #pooling: Pooling;
  readonly #policy: CachePolicy;
  readonly #schedule: SemiDynamicSchedule;
  readonly #tt: TTEmbeddingBag;
  readonly #cache: RowCache;
  readonly #meter = new CacheMeter();
  readonly #plans = new PlanBook<CachedBatch>();
  /** The generation of the cached rows that a gradient is for. */
  readonly #gradients = new WeakMap<Tensor, number>();
  #counter = new AccessCounter();
  /** Training steps applied. */
  #step = 0;
  /** Rows that the last refresh chose and that have not entered yet. */
  #entering = NOTHING;
  /** Counts changes of the set of cached rows, which make older gradients void. */
  #generation = 0;

  /** Allocates cores and cache. Throws `E_OPTION` on a bad cache size, schedule or policy, `E_SHAPE` on bad cores. */
  constructor(runtime: Runtime, options: CachedTTEmbeddingBagOptions) {
    const { shape, cacheRows, pooling = "sum", policy = "resident" } = options;
    validateSchedule(options);
    if (!CACHE_POLICIES.includes(policy)) {
      throw new TtError("E_OPTION", `the cache policy "${policy}" is not known; known are ${CACHE_POLICIES.join(", ")}`);
    }
    if (!(Number.isSafeInteger(cacheRows) && cacheRows >= 1 && cacheRows <= shape.numEmbeddings)) {
      throw new TtError(
        "E_OPTION",
        `cacheRows = ${cacheRows} is not a whole number from 1 to the number of embeddings, ${shape.numEmbeddings}`,
      );
    }
    this.numEmbeddings = shape.numEmbeddings;
    this.embeddingDim = shape.embeddingDim;
    this.#runtime = runtime;
    this.#pooling = pooling;
    this.#policy = policy;
    this.#schedule = { warmupSteps: options.warmupSteps, refreshEvery: options.refreshEvery };
    this.#cache = new RowCache(runtime, cacheRows, shape.embeddingDim);
    this.#tt = new TTEmbeddingBag(runtime, options, this.#cache.rows);
  }

  get bytes(): number {
    return this.#tt.bytes + this.#cache.mapBytes + this.#counter.bytes;
  }

  get parameterBytes(): number {
    const rowBytes = (this.embeddingDim + 1) * Float32Array.BYTES_PER_ELEMENT;
    return this.#tt.parameterBytes + this.#cache.size * rowBytes;
  }

  /** Hit rate, evictions, refresh time and bytes of the cache. */
  get metrics(): CacheMetrics {
    return this.#meter.read(this.#cache.size, this.#cache.rows.bytes + this.#cache.mapBytes + this.#counter.bytes);
  }

  plan(bags: Bags, mode: PlanMode): Plan {
    const lookup = resolveBags(bags, this.#pooling, this.numEmbeddings);
    const probed = this.#cache.probe(lookup, mode.training);
    if (mode.training) {
      this.#counter.observe(probed.below.map((p) => lookup.rows[p]));
      this.#meter.countStep(probed.laid.length, lookup.rows.length);
    }
    return this.#plans.issue(lookup, {
      ...{ lookup, mode, generation: this.#generation, plan: this.#tt.planOverlaid(probed, mode) },
      get uniqueRows() {
        return this.plan.uniqueRows;
      },
    });
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
  async apply(gradients: SliceGradients, rule: UpdateRule): Promise<void> {
    validateUpdateRule(rule);
    for (const { values } of gradients.parts) this.#assertCurrent(this.#gradients.get(values) ?? this.#generation);
    await this.#tt.apply(gradients, rule);
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
    const { ids, accesses } = this.#cache;
    const cache = { ids, accesses, entering: this.#entering, counter: this.#counter, step: this.#step };
    return writeCacheState(await this.#tt.state(), cache);
  }

  async load(state: NamedTensors): Promise<void> {
    const { parameters, own } = splitState(state);
    const cache = readCacheState(own, this.#cache.capacity, this.numEmbeddings);
    // The TT bag checks the parameters before it writes.
    await this.#tt.load(parameters);
    this.#cache.assign(cache.ids, cache.accesses);
    this.#entering = cache.entering;
    this.#counter = cache.counter;
    this.#step = cache.step;
    this.#generation++;
  }

  async toDense(): Promise<Tensor> {
    const dense = await this.#tt.toDense();
    const [table, cached, dim] = [dense.data, this.#cache.rows.weights.data, this.embeddingDim];
    for (const [slot, id] of this.#cache.ids.entries()) {
      if (id !== NO_ROW) table.set(cached.subarray(slot * dim, (slot + 1) * dim), id * dim);
    }
    return dense;
  }

  dispose(): void {
    this.#tt.dispose();
    this.#cache.dispose();
  }

  *#prepare(plan: Plan, gradient: Tensor): Phases<PhasedStep> {
    const step = yield* this.#tt.phases.prepare(this.#currentPlan(plan), gradient);
    const generation = this.#generation;
    const apply = (rule: UpdateRule): Phases<void> => {
      validateUpdateRule(rule);
      this.#assertCurrent(generation);
      const update = step.applyPhases(rule);
      return this.#thenEndStep(update);
    };
    return { finite: step.finite, applyPhases: apply, apply: async (rule) => this.#run(apply(rule)) };
  }

  /** The plan of a batch for the rows that are cached now. */
  #currentPlan(plan: Plan): Plan {
    const batch = this.#plans.details(plan);
    if (batch.generation !== this.#generation) {
      batch.generation = this.#generation;
      batch.plan = this.#tt.planOverlaid(this.#cache.probe(batch.lookup, false), batch.mode);
    }
    return batch.plan;
  }

  #assertCurrent(generation: number): void {
    if (generation === this.#generation) return;
    throw new TtError(
      "E_STALE_PLAN",
      `the cache has taken other rows since the gradients were computed, up to step ${this.#step}; compute them again`,
    );
  }

  *#thenEndStep(update: Phases<void>): Phases<void> {
    yield* update;
    yield* this.#endStep();
  }

  /** Counts a training step, chooses rows if a refresh is due at its end, and lets a portion of them enter. */
  *#endStep(): Phases<void> {
    this.#step++;
    const isDue = isRefreshDue(this.#schedule, this.#step);
    if (!isDue && this.#entering.ids.length === 0) return;
    const start = performance.now();
    const dropped = isDue ? this.#chooseRows() : 0;
    yield* this.#letRowsEnter();
    this.#meter.countRefresh(Number(isDue), dropped, performance.now() - start);
  }

  /** Chooses the rows to hold from now on; those that a refresh before chose and that have not entered are forgotten. */
  #chooseRows(): number {
    const { capacity, ids } = this.#cache;
    for (const slot of ids.keys()) this.#cache.takeAccesses(slot, this.#count);
    const held = ids.filter((id) => id !== NO_ROW);
    const chosen = selectRows(this.#policy, this.#counter, capacity, held);
    ageAccesses(this.#policy, this.#counter, capacity);
    this.#entering = this.#cache.entering(chosen, this.#policy === "resident");
    return this.#cache.countOthers(chosen);
  }

  /** Computes a portion of the entering rows from the cores and gives them their slots. A function of the steps, never of time. */
  *#letRowsEnter(): Phases<void> {
    const portion = Math.max(ENTERING_ROWS, Math.ceil(this.#cache.capacity / this.#schedule.refreshEvery));
    const ids = this.#entering.ids.subarray(0, portion);
    const slots = this.#entering.slots.subarray(0, portion);
    if (ids.length === 0) return;
    const plan = this.#tt.planLookup({ outputs: ids.length, rows: ids }, { training: false });
    const rows = yield* this.#tt.phases.forward(plan);
    for (const [i, id] of ids.entries()) this.#cache.take(slots[i], id, this.#count);
    this.#cache.fill(slots, rows.data);
    this.#entering = { ids: this.#entering.ids.subarray(portion), slots: this.#entering.slots.subarray(portion) };
    this.#generation++;
  }

  readonly #count = (id: number, accesses: number): void => this.#counter.add(id, accesses);

  #run<T>(phases: Phases<T>): Promise<T> {
    return runPhases(this.#runtime.host, phases);
  }
}
