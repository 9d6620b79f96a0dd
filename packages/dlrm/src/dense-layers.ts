import type { Rng, Runtime, Tensor } from "@tt-rec/tensor";
import type { DlrmConfig } from "./dlrm-config.ts";
import { createInteraction } from "./layers/create-interaction.ts";
import type { DenseParameter } from "./layers/dense-parameter.ts";
import type { Interacted, Interaction } from "./layers/interaction.ts";
import { Mlp, type MlpTrace } from "./layers/mlp.ts";
import { type StepProfile, timed } from "./step-profile.ts";

/** Some samples of a batch, as the dense layers take them. */
export interface DenseInput {
  /** Number of samples B. */
  readonly size: number;
  /** 0 or 1 for each sample [B]. */
  readonly labels: Float32Array;
  /** Dense features [B, F]. */
  readonly dense: Float32Array;
  /** One embedding a table [B, D]. */
  readonly embeddings: readonly Tensor[];
}

/** What a forward pass leaves for the backward pass. */
interface Trace {
  readonly bottom: MlpTrace | undefined;
  readonly interacted: Interacted;
  readonly top: MlpTrace;
}

/** Everything of a model but its tables: bottom MLP, interaction, top MLP and loss. */
export class DenseLayers {
  /** Weights and biases of all layers. */
  readonly parameters: readonly DenseParameter[];
  readonly #runtime: Runtime;
  readonly #config: DlrmConfig;
  readonly #bottom: Mlp | undefined;
  readonly #interaction: Interaction;
  readonly #top: Mlp;
  readonly #profile: StepProfile | undefined;

  /** Draws all parameters: bottom MLP, what the interaction learns, top MLP. Throws `E_OPTION` on bad widths. */
  constructor(runtime: Runtime, config: DlrmConfig, rng: Rng, profile?: StepProfile) {
    const { denseFeatures, embeddingDim, bottomMlp, topMlp, tables, interaction = { kind: "dot" }, mlpInitializer } = config;
    this.#runtime = runtime;
    this.#config = config;
    this.#profile = profile;
    const hasBottom = denseFeatures > 0;
    const kept = tables.filter(({ embedding }) => embedding.kind !== "removed").length;
    const vectors = { count: kept + (hasBottom ? 1 : 0), dim: embeddingDim, hasBottom };
    this.#bottom = hasBottom ? new Mlp(runtime, "bottom", denseFeatures, bottomMlp, true, rng, mlpInitializer) : undefined;
    this.#interaction = createInteraction(runtime, interaction, vectors, rng);
    this.#top = new Mlp(runtime, "top", this.#interaction.outputWidth, topMlp, false, rng, mlpInitializer);
    this.parameters = [...(this.#bottom?.parameters ?? []), ...this.#interaction.parameters, ...this.#top.parameters];
  }

  /** Logits [B]. */
  async score(input: DenseInput): Promise<Tensor> {
    return logitsOf((await this.#forward(input)).top);
  }

  /**
   * Forward and backward on some of a batch's `samples`: writes the gradients [B, D] of the embeddings and those of the
   * parameters, and returns the share of these samples in the mean loss of all. If that is not finite, nothing is written.
   */
  async train(input: DenseInput, samples: number, embeddingGradients: readonly Tensor[]): Promise<number> {
    const profile = this.#profile;
    const trace = await this.#forward(input, profile);
    const logits = logitsOf(trace.top);
    const gradient = this.#runtime.rawScratch(logits.shape);
    const loss = await timed(profile, "loss", () => this.#loss(logits, input.labels, gradient, samples));
    if (Number.isFinite(loss)) await this.#backward(trace, gradient, embeddingGradients);
    return loss;
  }

  #loss(logits: Tensor, labels: Float32Array, gradient: Tensor, samples: number): Promise<number> {
    const { kernels } = this.#runtime;
    const { loss, lossWeights: weights } = this.#config;
    if (loss === "mse") return kernels.mseWithLogits(logits, labels, gradient, { samples });
    return kernels.bceWithLogits(logits, labels, gradient, { samples, ...(weights && { weights }) });
  }

  async #forward({ size, dense, embeddings }: DenseInput, profile?: StepProfile): Promise<Trace> {
    const vectors: Tensor[] = [];
    let bottom: MlpTrace | undefined;
    const mlp = this.#bottom;
    if (mlp !== undefined) {
      const features = this.#runtime.rawScratch([size, this.#config.denseFeatures]);
      features.data.set(dense);
      bottom = await timed(profile, "MLPs", () => mlp.forward(features));
      vectors.push(bottom[bottom.length - 1]);
    }
    const interacted = await timed(profile, "interaction", () => this.#interaction.forward([...vectors, ...embeddings]));
    return { bottom, interacted, top: await timed(profile, "MLPs", () => this.#top.forward(interacted.output)) };
  }

  async #backward({ bottom, interacted, top }: Trace, gradient: Tensor, embeddings: readonly Tensor[]): Promise<void> {
    const profile = this.#profile;
    const columns = gradient.reshape([gradient.size, 1]);
    const outputGradient = (await timed(profile, "MLPs backward", () => this.#top.backward(top, columns, true))) ?? columns;
    const interactionBackward = (gradients: readonly Tensor[]): Promise<void> =>
      timed(profile, "interaction backward", () => interacted.backward(outputGradient, gradients));
    const mlp = this.#bottom;
    if (mlp === undefined || bottom === undefined) return interactionBackward(embeddings);
    const dense = this.#runtime.rawScratch(bottom[bottom.length - 1].shape);
    await interactionBackward([dense, ...embeddings]);
    await timed(profile, "MLPs backward", () => mlp.backward(bottom, dense, false));
  }
}

/** The top MLP's output as a vector. */
function logitsOf(top: MlpTrace): Tensor {
  const last = top[top.length - 1];
  return last.reshape([last.size]);
}
