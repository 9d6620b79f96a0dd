import { type Rng, type Runtime, type Tensor, TtError } from "@tt-rec/tensor";
import { DenseParameter } from "./dense-parameter.ts";

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

  /**
   * Draws the weights as DLRM does: W ~ N(0, 2 / (in + out)), b ~ N(0, 1 / out). `widths` are the outputs of the layers.
   * Throws `E_OPTION` on a width that is not a positive whole number.
   */
  constructor(runtime: Runtime, name: string, inputs: number, widths: readonly number[], lastRelu: boolean, rng: Rng) {
    this.#runtime = runtime;
    this.#layers = widths.map((outputs, index) => {
      const columns = index === 0 ? inputs : widths[index - 1];
      if (!(Number.isInteger(outputs) && outputs >= 1)) {
        throw new TtError("E_OPTION", `width ${index} of the ${name} MLP is ${outputs}, not a whole number of at least 1`);
      }
      const weight = new DenseParameter(runtime, `${name}.${index}.weight`, [outputs, columns]);
      const bias = new DenseParameter(runtime, `${name}.${index}.bias`, [outputs]);
      fillNormal(weight.weights, Math.sqrt(2 / (columns + outputs)), rng);
      fillNormal(bias.weights, Math.sqrt(1 / outputs), rng);
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

function fillNormal(tensor: Tensor, standardDeviation: number, rng: Rng): void {
  const data = tensor.data;
  for (let i = 0; i < data.length; i++) data[i] = standardDeviation * rng.normal();
}
