import type { Rng, Runtime, Tensor } from "@tt-rec/tensor";
import type { CrossInteractionConfig } from "../dlrm-config.ts";
import { addTo } from "./add-to.ts";
import { Concatenation } from "./concatenation.ts";
import { DenseParameter } from "./dense-parameter.ts";
import { fillNormal } from "./fill-normal.ts";
import type { Interacted, Interaction, Vectors } from "./interaction.ts";

/** One layer x' = x_0 ⊙ (W·(V·x) + b) + x. */
interface CrossLayer {
  /** V [rank, width]. */
  readonly down: DenseParameter;
  /** W [width, rank]. */
  readonly up: DenseParameter;
  /** b [width]. */
  readonly bias: DenseParameter;
}

/** What a layer leaves for its backward pass. */
interface CrossTrace {
  readonly input: Tensor;
  readonly reduced: Tensor;
  readonly factor: Tensor;
}

/** The low-rank cross network of DCNv2 (Wang et al., arXiv 2008.13535, §3.3) on the concatenated vectors, as in TorchRec's `DLRM_DCN`. */
export class CrossNetwork implements Interaction {
  readonly outputWidth: number;
  readonly parameters: readonly DenseParameter[];
  readonly #runtime: Runtime;
  readonly #concatenation: Concatenation;
  readonly #layers: readonly CrossLayer[];

  /** Draws V and W from N(0, 2 / (width + rank)), as TorchRec does; biases are 0. */
  constructor(runtime: Runtime, vectors: Vectors, { layers, rank }: CrossInteractionConfig, rng: Rng) {
    this.#runtime = runtime;
    this.#concatenation = new Concatenation(runtime, vectors);
    const width = this.#concatenation.outputWidth;
    this.outputWidth = width;
    const deviation = Math.sqrt(2 / (width + rank));
    this.#layers = Array.from({ length: layers }, (_, l) => {
      const down = new DenseParameter(runtime, `cross.${l}.down`, [rank, width]);
      const up = new DenseParameter(runtime, `cross.${l}.up`, [width, rank]);
      fillNormal(down.weights, deviation, rng);
      fillNormal(up.weights, deviation, rng);
      return { down, up, bias: new DenseParameter(runtime, `cross.${l}.bias`, [width]) };
    });
    this.parameters = this.#layers.flatMap(({ down, up, bias }) => [down, up, bias]);
  }

  async forward(vectors: readonly Tensor[]): Promise<Interacted> {
    const { kernels } = this.#runtime;
    const { output: first, backward } = await this.#concatenation.forward(vectors);
    const trace: CrossTrace[] = [];
    let x = first;
    for (const { down, up, bias } of this.#layers) {
      const reduced = this.#runtime.rawScratch([x.shape[0], down.shape[0]]);
      await kernels.gemm("nt", x, down.weights, reduced);
      const factor = this.#runtime.rawScratch(x.shape);
      await kernels.gemm("nt", reduced, up.weights, factor, { bias: bias.weights });
      trace.push({ input: x, reduced, factor });
      const next = this.#runtime.rawScratch(x.shape);
      await kernels.multiplyAdd(first, factor, next, x);
      x = next;
    }
    return {
      output: x,
      backward: async (gradient, vectorGradients) => backward(await this.#backward(first, trace, gradient), vectorGradients),
    };
  }

  /** Gradient of x_0 from that of the output. */
  async #backward(first: Tensor, trace: readonly CrossTrace[], gradient: Tensor): Promise<Tensor> {
    const { kernels } = this.#runtime;
    const direct = this.#runtime.scratch(first.shape);
    let dy = gradient;
    for (let l = this.#layers.length - 1; l >= 0; l--) {
      const { down, up, bias } = this.#layers[l];
      const { input, reduced, factor } = trace[l];
      await kernels.multiplyAdd(dy, factor, direct, direct);
      const factorGradient = this.#runtime.rawScratch(first.shape);
      await kernels.multiplyAdd(dy, first, factorGradient);
      await kernels.biasReluBackward(factorGradient, bias.newGradient());
      await kernels.gemm("tn", factorGradient, reduced, up.newGradient());
      const reducedGradient = this.#runtime.rawScratch(reduced.shape);
      await kernels.gemm("nn", factorGradient, up.weights, reducedGradient);
      await kernels.gemm("tn", reducedGradient, input, down.newGradient());
      const dx = this.#runtime.rawScratch(first.shape);
      await kernels.gemm("nn", reducedGradient, down.weights, dx);
      await addTo(kernels, dx, dy);
      dy = dx;
    }
    await addTo(kernels, direct, dy);
    return direct;
  }
}
