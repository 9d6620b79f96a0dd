import type { NamedTensors, Tensor, UpdateRule } from "@tt-rec/tensor";
import type { CachedTTEmbeddingBag } from "@tt-rec/tt-cache";
import type { Bags, EmbeddingBag, Plan, PlanMode, PreparedStep, SliceGradients } from "@tt-rec/tt-kernels";

/** A cached bag behind another, which overrides what it does otherwise. */
export class WrappedCachedBag implements EmbeddingBag {
  readonly cache: CachedTTEmbeddingBag;

  /** Takes the bag that everything else is passed on to. */
  constructor(cache: CachedTTEmbeddingBag) {
    this.cache = cache;
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
    return this.cache.plan(bags, mode);
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
