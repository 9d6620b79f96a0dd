import { type Rng, type Runtime, type Tensor, TtError } from "@tt-rec/tensor";
import type { MlpInitializer } from "../dlrm-config.ts";
import { DenseParameter } from "./dense-parameter.ts";
import { fillNormal } from "./fill-normal.ts";

/** One layer y = x·Wᵀ + b with W [out, in]. */
interface Layer {
  readonly weight: DenseParameter;
  readonly bias: DenseParameter;
  readonly relu: boolean;
}

/** What a forward pass leaves for the backward pass: the input of each layer, and the last output. */
export type MlpTrace = readonly Tensor[];

/** A multi-layer perceptron: ReLU after every layer, after the last one only if asked. */
export class Mlp {
  /** Weights and biases, layer by layer. */
  readonly parameters: readonly DenseParameter[];
  readonly #runtime: Runtime;
  readonly #layers: readonly Layer[];

  /** Draws weights and biases. `widths` are the outputs of the layers. Throws `E_OPTION` on one that is not a positive whole number. */
  constructor(
    runtime: Runtime,
    name: string,
    inputs: number,
    widths: readonly number[],
    lastRelu: boolean,
    rng: Rng,
    initializer: MlpInitializer = "dlrm",
  ) {
    this.#runtime = runtime;
    this.#layers = widths.map((outputs, index) => {
      const columns = index === 0 ? inputs : widths[index - 1];
      if (!(Number.isInteger(outputs) && outputs >= 1)) {
        throw new TtError("E_OPTION", `width ${index} of the ${name} MLP is ${outputs}, not a whole number of at least 1`);
      }
      const weight = new DenseParameter(runtime, `${name}.${index}.weight`, [outputs, columns]);
      const bias = new DenseParameter(runtime, `${name}.${index}.bias`, [outputs]);
      fillNormal(weight.weights, Math.sqrt(2 / (initializer === "he" ? columns : columns + outputs)), rng);
      if (initializer === "dlrm") fillNormal(bias.weights, Math.sqrt(1 / outputs), rng);
      return { weight, bias, relu: lastRelu || index < widths.length - 1 };
    });
    this.parameters = this.#layers.flatMap(({ weight, bias }) => [weight, bias]);
  }

  /** Runs [B, inputs] through all layers; the last entry of the trace is the output. */
  async forward(input: Tensor): Promise<MlpTrace> {
    const trace = [input];
    for (const { weight, bias, relu } of this.#layers) {
      const x = trace[trace.length - 1];
      const out = this.#runtime.rawScratch([x.shape[0], bias.weights.size]);
      await this.#runtime.kernels.gemm("nt", x, weight.weights, out, { bias: bias.weights, relu });
      trace.push(out);
    }
    return trace;
  }

  /**
   * Computes the gradients of all parameters from the gradient of the output, which it overwrites, and returns the
   * gradient of the input, or undefined if that is not wanted.
   */
  async backward(trace: MlpTrace, gradient: Tensor, wantInput: boolean): Promise<Tensor | undefined> {
    const { kernels } = this.#runtime;
    let dy: Tensor = gradient;
    for (let index = this.#layers.length - 1; index >= 0; index--) {
      const { weight, bias, relu } = this.#layers[index];
      const x = trace[index];
      await kernels.biasReluBackward(dy, bias.newGradient(), relu ? trace[index + 1] : undefined);
      await kernels.gemm("tn", dy, x, weight.newGradient());
      if (index === 0 && !wantInput) return undefined;
      const dx = this.#runtime.rawScratch(x.shape);
      await kernels.gemm("nn", dy, weight.weights, dx);
      dy = dx;
    }
    return dy;
  }
}
