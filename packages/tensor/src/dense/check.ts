import { TtError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";
import { type UpdateRule, validateUpdateRule } from "../update-rule.ts";
import type { GemmLayout, Update } from "./kernels.ts";

/** Extents of a product: [m, k]·[k, n] → [m, n]. */
export interface GemmExtents {
  /** Rows of the result. */
  readonly m: number;
  /** Columns of the result. */
  readonly n: number;
  /** Length of the summed dimension. */
  readonly k: number;
}

/** Derives m, n, k from the operands and checks that all of them fit. */
export function gemmExtents(layout: GemmLayout, a: Tensor, b: Tensor, out: Tensor, bias: Tensor | undefined): GemmExtents {
  const [m, k] = layout === "tn" ? [a.shape[1], a.shape[0]] : [a.shape[0], a.shape[1]];
  const [kb, n] = layout === "nt" ? [b.shape[1], b.shape[0]] : [b.shape[0], b.shape[1]];
  const fail = (rule: string): TtError =>
    new TtError("E_SHAPE", `gemm ${layout}: [${a.shape}] and [${b.shape}] into [${out.shape}]: ${rule}`);
  if (a.shape.length !== 2 || b.shape.length !== 2 || out.shape.length !== 2) throw fail("every operand needs two axes");
  if (k !== kb) throw fail(`the summed extents ${k} and ${kb} differ`);
  if (out.shape[0] !== m || out.shape[1] !== n) throw fail(`the result has shape [${m},${n}]`);
  if (bias !== undefined && bias.size !== n) throw fail(`the bias has ${bias.size} elements, the result ${n} columns`);
  return { m, n, k };
}

/** Extents of an interaction of V vectors: [B, D] each. */
interface InteractionExtents {
  /** Samples B. */
  readonly samples: number;
  /** Elements D of a vector. */
  readonly dim: number;
}

/** Derives the extents of an interaction and checks that all operands fit. `rows` is its result, or the result's gradient. */
export function interactionExtents(
  vectors: readonly Tensor[],
  passThrough: boolean,
  rows: Tensor,
  self: boolean,
  vectorGradients: readonly Tensor[] = vectors,
): InteractionExtents {
  const fail = (rule: string): TtError => new TtError("E_SHAPE", `interaction of ${vectors.length} vectors: ${rule}`);
  if (vectors.length === 0) throw fail("at least one is needed");
  if (vectorGradients.length !== vectors.length) throw fail(`there are ${vectorGradients.length} gradients`);
  const { shape } = vectors[0];
  if (shape.length !== 2) throw fail(`the shape [${shape}] has not two axes`);
  const [samples, dim] = shape;
  for (const [i, other] of [...vectors, ...vectorGradients].entries()) {
    if (String(other.shape) === String(shape)) continue;
    const which = i < vectors.length ? `vector ${i}` : `gradient ${i - vectors.length}`;
    throw fail(`${which} has shape [${other.shape}], [${shape}] was expected`);
  }
  const width = (passThrough ? dim : 0) + (vectors.length * (vectors.length + (self ? 1 : -1))) / 2;
  if (String(rows.shape) !== String([samples, width])) {
    throw fail(`the result has shape [${samples},${width}], not [${rows.shape}]`);
  }
  return { samples, dim };
}

/** Checks that blocks [B, D_i] are those of a matrix [B, ΣD_i]; returns B. */
export function blockRows(matrix: Tensor, blocks: readonly Tensor[]): number {
  const bad = blocks.find(({ shape }) => shape.length !== 2 || shape[0] !== matrix.shape[0]);
  const columns = blocks.reduce((sum, { shape }) => sum + shape[1], 0);
  if (matrix.shape.length !== 2 || bad !== undefined || columns !== matrix.shape[1]) {
    const shapes = blocks.map(({ shape }) => `[${shape}]`).join(", ");
    throw new TtError("E_SHAPE", `the blocks ${shapes} are not those of a matrix [${matrix.shape}]`);
  }
  return matrix.shape[0];
}

/** Derives [m, n] of a gradient, and checks that the sums of its columns and the activation fit. */
export function columnExtents(
  { shape, size }: Tensor,
  biasGradient: Tensor,
  activation: Tensor | undefined,
): readonly [number, number] {
  const fail = (rule: string): TtError => new TtError("E_SHAPE", `biasReluBackward: the gradient [${shape}] ${rule}`);
  if (shape.length !== 2) throw fail("has not two axes");
  const [rows, columns] = shape;
  if (biasGradient.size !== columns) throw fail(`has ${columns} columns, the bias ${biasGradient.size} elements`);
  if (activation !== undefined && activation.size !== size)
    throw fail(`differs in size from the activation [${activation.shape}]`);
  return [rows, columns];
}

/** Derives [m, n] of values that a bias is added to, and checks that it fits. */
export function biasExtents({ shape }: Tensor, bias: Tensor | undefined): readonly [number, number] {
  const fail = (rule: string): TtError => new TtError("E_SHAPE", `biasRelu: the values [${shape}] ${rule}`);
  if (shape.length !== 2) throw fail("have not two axes");
  const [rows, columns] = shape;
  if (bias !== undefined && bias.size !== columns) throw fail(`have ${columns} columns, the bias ${bias.size} elements`);
  return [rows, columns];
}

/** Slices of a parameter: the extent of its first axis. */
export function slicesOf({ shape }: Tensor): number {
  return shape[0] ?? 1;
}

/** Throws `E_OPTION` or `E_SHAPE` unless the rule is sound and every parameter has what it needs. */
export function checkUpdate(rule: UpdateRule, parameters: readonly Update[]): void {
  validateUpdateRule(rule);
  for (const { weights, gradient, state } of parameters) {
    if (gradient.size !== weights.size) {
      throw new TtError("E_SHAPE", `update: weights [${weights.shape}] with a gradient [${gradient.shape}]`);
    }
    if (rule.kind === "sgd") continue;
    if (state === undefined) throw new TtError("E_OPTION", `update: ${rule.kind} needs accumulators`);
    const expected = rule.kind === "rowWiseAdagrad" ? slicesOf(weights) : weights.size * (rule.kind === "adam" ? 2 : 1);
    if (state.size !== expected) {
      throw new TtError(
        "E_SHAPE",
        `update: ${rule.kind} of [${weights.shape}] needs ${expected} accumulators, not ${state.size}`,
      );
    }
  }
}

/** Throws `E_SHAPE` unless both have the same number of elements. */
export function assertSameSize(where: string, a: { size: number }, b: { size: number }): void {
  if (a.size !== b.size) throw new TtError("E_SHAPE", `${where}: operands of ${a.size} and ${b.size} elements`);
}
