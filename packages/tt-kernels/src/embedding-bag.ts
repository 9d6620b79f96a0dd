import type { NamedTensors, Tensor, UpdateRule } from "@tt-rec/tensor";
import type { Phases } from "./phases.ts";

/** The lookups of a batch in one table. */
export interface Bags {
  /** Row ids of all bags, one after another. */
  readonly indices: Uint32Array;
  /** Where each bag starts in `indices`: B + 1 entries, the first 0, the last `indices.length`. Absent: one id a bag. */
  readonly offsets?: Uint32Array;
  /** Factor α of each id (per-sample weights); absent means 1. */
  readonly weights?: Float32Array;
}

/**
 * How the rows of a bag become one vector: their `sum` Σ α·w; their `mean`, which is that sum divided by the number of
 * ids in the bag; or `none`, which returns one row α·w for each id and ignores the offsets. An empty bag gives zeros.
 */
export type Pooling = "sum" | "mean" | "none";

/** What a plan is for. */
export interface PlanMode {
  /** True in a training step: accesses are counted only then. */
  readonly training: boolean;
}

/** A batch made ready for one bag: validated, sorted and deduplicated. Forward and backward share it. */
export interface Plan {
  /** Rows of the output: the number of bags, or of ids without pooling. */
  readonly outputs: number;
  /** Number of ids looked up. */
  readonly lookups: number;
  /** Number of distinct rows among them. */
  readonly uniqueRows: number;
}

/** A plan for a table over which other rows are laid. */
export interface OverlaidPlan extends Plan {
  /** Number of the distinct rows that those laid over the table answer. */
  readonly uniqueLaid: number;
}

/** The gradient of one parameter: a stack of the slices (table rows or core slices) that the batch touched. */
export interface SliceGradient {
  /** Name of the parameter, as in `state()`. */
  readonly parameter: string;
  /** Slice numbers in rising order. */
  readonly slices: Uint32Array;
  /** Gradients [slices.length, elements of a slice]; dies with the step. */
  readonly values: Tensor;
}

/** The gradients of a bag for one batch; nothing is written to the parameters until `apply`. */
export interface SliceGradients {
  /** One entry a parameter. */
  readonly parts: readonly SliceGradient[];
  /** Sum of the squares of all entries; not finite if and only if some entry overflowed or is NaN. */
  readonly sumOfSquares: number;
  /** Gradient of the per-sample weights [lookups], if the batch had any; dies with the step. */
  readonly weights?: Tensor;
}

/** A backward pass up to the point where parameters would change. */
export interface PreparedStep {
  /** Whether every gradient of the parameters is finite. */
  readonly finite: boolean;
  /**
   * Updates the touched slices, each once. The gradients of cores need not exist for it: each is applied as it is summed.
   * `cachedRule` is for rows that stand uncompressed in front of the parameters, default `rule`; bags without a cache ignore it.
   * Throws `E_OPTION` on a bad rule, `E_STALE_PLAN` if it needs parameters that have changed since; then nothing is written.
   */
  apply(rule: UpdateRule, cachedRule?: UpdateRule): Promise<void>;
  /** `apply` in phases, for several bags side by side; absent where the work cannot be taken apart. */
  applyPhases?(rule: UpdateRule, cachedRule?: UpdateRule): Phases<void>;
}

/** A prepared step of a bag whose work comes in phases. */
export interface PhasedStep extends PreparedStep {
  /** `apply` in phases. */
  applyPhases(rule: UpdateRule, cachedRule?: UpdateRule): Phases<void>;
}

/** The calls of a bag in phases, so that several bags can be worked on side by side: see `forwardTogether`. */
export interface BagPhases {
  /** Sorts the batch of a plan, which `forward` does otherwise, so that its time can be told apart; absent where that is no work of its own. */
  sort?(plan: Plan): Phases<void>;
  /** `forward` in phases. */
  forward(plan: Plan): Phases<Tensor>;
  /** `prepare` in phases. */
  prepare(plan: Plan, gradient: Tensor): Phases<PhasedStep>;
}

/**
 * A trainable table of embeddings. All implementations answer the same calls; they are asynchronous because a GPU is.
 *
 * `forward`, `backward` and `step` work in scratch memory: call them inside `runtime.step(async () => …)`. A plan belongs
 * to the bag that made it; another bag's plan is refused with `E_OPTION`.
 */
export interface EmbeddingBag {
  /** Rows n of the table. */
  readonly numEmbeddings: number;
  /** Columns D of the table. */
  readonly embeddingDim: number;
  /** All resident bytes: parameters, optimizer state, caches and their counters. */
  readonly bytes: number;
  /** Bytes of what a deployed model needs: parameters, and cached rows with their ids. */
  readonly parameterBytes: number;
  /**
   * Validates a batch and prepares its lookups; the bag keeps nothing of it. The plan reads the batch's arrays until its
   * last use, so do not overwrite them before. Throws `E_INDEX`, `E_OFFSETS` or `E_WEIGHTS`.
   */
  plan(bags: Bags, mode: PlanMode): Plan;
  /** Looks up and pools: [plan.outputs, D]. */
  forward(plan: Plan): Promise<Tensor>;
  /** Gradients of the parameters and weights from the gradient [plan.outputs, D] of the output. */
  backward(plan: Plan, gradient: Tensor): Promise<SliceGradients>;
  /**
   * Updates the touched slices, each once, by the rules of `PreparedStep.apply`. Throws, before anything is written, `E_OPTION`
   * on a bad rule or another bag's gradients, `E_SHAPE` on gradients that do not fit.
   */
  apply(gradients: SliceGradients, rule: UpdateRule, cachedRule?: UpdateRule): Promise<void>;
  /** As `backward` up to where parameters would change: cheaper than `backward` and `apply`, and still open to a refusal. */
  prepare(plan: Plan, gradient: Tensor): Promise<PreparedStep>;
  /** Absent where the work cannot be taken apart. */
  readonly phases?: BagPhases;
  /** `backward` and `apply` in one, for when nothing happens between; all products use the parameters before the update. */
  step(plan: Plan, gradient: Tensor, rule: UpdateRule): Promise<void>;
  /** Parameters and optimizer state by name. The arrays may be views: save or copy them before the next update. */
  state(): Promise<NamedTensors>;
  /** Replaces parameters and optimizer state. Throws `E_MISMATCH` before anything is written if names or shapes differ. */
  load(state: NamedTensors): Promise<void>;
  /** The table [n, D] that the parameters stand for, as a parameter tensor that the caller disposes. */
  toDense(): Promise<Tensor>;
  /** Frees the parameters. */
  dispose(): void;
}
