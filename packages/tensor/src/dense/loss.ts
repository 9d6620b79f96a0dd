import type { Tensor } from "../tensor.ts";
import { assertSameSize } from "./check.ts";
import type { LossOptions } from "./kernels.ts";

// Plain TypeScript in every engine: with one logit a sample, the loss takes 4 µs of a step of 8 ms at 128 samples, and 63 µs
// of 125 ms at 2048; the sigmoid a quarter of that.

/** Writes 1 / (1 + exp(-logits)) into `out`. */
export async function sigmoid(logits: Tensor, out: Tensor): Promise<void> {
  assertSameSize("sigmoid", logits, out);
  const [source, result] = [logits.data, out.data];
  for (let i = 0; i < source.length; i++) result[i] = logistic(source[i]);
}

/** The mean binary cross-entropy, and its gradient. */
export async function bceWithLogits(
  logits: Tensor,
  labels: Float32Array,
  gradient: Tensor,
  { weights: [negative, positive] = [1, 1], samples = labels.length }: LossOptions = {},
): Promise<number> {
  assertSameSize("bceWithLogits", logits, { size: labels.length });
  assertSameSize("bceWithLogits", logits, gradient);
  const [z, dz] = [logits.data, gradient.data];
  let loss = 0;
  for (let i = 0; i < z.length; i++) {
    const weight = labels[i] > 0.5 ? positive : negative;
    loss += weight * (Math.max(z[i], 0) - z[i] * labels[i] + Math.log1p(Math.exp(-Math.abs(z[i]))));
    dz[i] = (weight * (logistic(z[i]) - labels[i])) / samples;
  }
  return z.length === 0 ? 0 : loss / samples;
}

/** The mean squared error of the probabilities, and its gradient by the logits. */
export async function mseWithLogits(
  logits: Tensor,
  labels: Float32Array,
  gradient: Tensor,
  { samples = labels.length }: Pick<LossOptions, "samples"> = {},
): Promise<number> {
  assertSameSize("mseWithLogits", logits, { size: labels.length });
  assertSameSize("mseWithLogits", logits, gradient);
  const [z, dz] = [logits.data, gradient.data];
  let loss = 0;
  for (let i = 0; i < z.length; i++) {
    const p = logistic(z[i]);
    loss += (p - labels[i]) ** 2;
    // 1 − p is 0 at a logit of 40 already, σ(−z) is not.
    dz[i] = (2 * (p - labels[i]) * p * logistic(-z[i])) / samples;
  }
  return z.length === 0 ? 0 : loss / samples;
}

/** The branch keeps exp() from overflowing. */
function logistic(z: number): number {
  if (z >= 0) return 1 / (1 + Math.exp(-z));
  const e = Math.exp(z);
  return e / (1 + e);
}
