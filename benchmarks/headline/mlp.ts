import { createRng, type Runtime, type Tensor, type UpdateRule } from "@tt-rec/tensor";
import { BOTTOM, TOP } from "./mlp-shapes.ts";

const RULE: UpdateRule = { kind: "sgd", learningRate: 1e-6 };

interface Layer {
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly relu: boolean;
}

/** One MLP with its input and the gradient of its output, which stay the same as the peers' do. */
interface Stack {
  readonly layers: readonly Layer[];
  readonly input: Tensor;
  readonly gradient: Tensor;
  readonly wantInputGradient: boolean;
}

/** Weights, and the gradient that they get. */
interface Update {
  readonly weights: Tensor;
  readonly gradient: Tensor;
}

/** Both MLPs of DLRM Kaggle at a batch size; each call is a step: forward, backward, SGD. */
export function mlpStep(runtime: Runtime, batch: number): () => Promise<void> {
  const stacks = [makeStack(runtime, BOTTOM, batch, true, false), makeStack(runtime, TOP, batch, false, true)];
  return () =>
    runtime.step(async () => {
      const updates: Update[] = [];
      for (const stack of stacks) updates.push(...(await stackGradients(runtime, stack)));
      await runtime.kernels.update(RULE, updates);
    });
}

function makeStack(
  runtime: Runtime,
  widths: readonly number[],
  batch: number,
  lastRelu: boolean,
  wantInputGradient: boolean,
): Stack {
  const rng = createRng(1);
  const filled = (shape: readonly number[], deviation: number): Tensor => {
    const tensor = runtime.tensor(shape);
    tensor.data.set(Float32Array.from({ length: tensor.size }, () => deviation * rng.normal()));
    return tensor;
  };
  const layers = widths.slice(1).map((outputs, layer): Layer => {
    const weight = filled([outputs, widths[layer]], Math.sqrt(2 / (widths[layer] + outputs)));
    return { weight, bias: runtime.tensor([outputs]), relu: lastRelu || layer < widths.length - 2 };
  });
  const [input, gradient] = [filled([batch, widths[0]], 1), filled([batch, widths[widths.length - 1]], 1)];
  return { layers, input, gradient, wantInputGradient };
}

/** Forward and backward pass. */
async function stackGradients(runtime: Runtime, { layers, input, gradient, wantInputGradient }: Stack): Promise<Update[]> {
  const { kernels } = runtime;
  const trace = [input];
  for (const [layer, { weight, bias, relu }] of layers.entries()) {
    const out = runtime.rawScratch([input.shape[0], bias.size]);
    await kernels.gemm("nt", trace[layer], weight, out, { bias, relu });
    trace.push(out);
  }
  // A copy, since the ReLU's derivative is applied in place.
  let dy = runtime.rawScratch(gradient.shape);
  dy.data.set(gradient.data);
  const updates: Update[] = [];
  for (let layer = layers.length - 1; layer >= 0; layer--) {
    const { weight, bias, relu } = layers[layer];
    const [x, y] = [trace[layer], trace[layer + 1]];
    const [dw, db] = [runtime.rawScratch(weight.shape), runtime.rawScratch(bias.shape)];
    await kernels.biasReluBackward(dy, db, relu ? y : undefined);
    await kernels.gemm("tn", dy, x, dw);
    updates.push({ weights: weight, gradient: dw }, { weights: bias, gradient: db });
    if (layer > 0 || wantInputGradient) {
      const dx = runtime.rawScratch(x.shape);
      await kernels.gemm("nn", dy, weight, dx);
      dy = dx;
    }
  }
  return updates;
}
