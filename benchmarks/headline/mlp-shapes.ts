import type { GemmLayout } from "@tt-rec/tensor";

/** Widths of DLRM's bottom MLP for Criteo Kaggle, its input first. */
export const BOTTOM: readonly number[] = [13, 512, 256, 64, 16];
/** Widths of its top MLP. */
export const TOP: readonly number[] = [367, 512, 256, 1];
/** Batch sizes that are measured. */
export const BATCH_SIZES: readonly number[] = [128, 2048];

/** One matrix product of a training step of the MLPs. */
export interface LayerGemm {
  /** `bottom0/nt` for the forward pass of the first layer, `tn` for its weights' gradient, `nn` for its input's. */
  readonly name: string;
  /** Which operands are transposed. */
  readonly layout: GemmLayout;
  /** Shapes of the operands as they are stored, and of the result. */
  readonly shapes: readonly [a: readonly number[], b: readonly number[], out: readonly number[]];
  /** Multiplications and additions. */
  readonly flops: number;
}

/** All products of a step at a batch size; the bottom MLP's input needs no gradient. */
export function layerGemms(batch: number): LayerGemm[] {
  return [...stackGemms("bottom", BOTTOM, batch).filter(({ name }) => name !== "bottom0/nn"), ...stackGemms("top", TOP, batch)];
}

function stackGemms(stack: string, widths: readonly number[], batch: number): LayerGemm[] {
  return widths.slice(1).flatMap((outputs, layer): LayerGemm[] => {
    const inputs = widths[layer];
    const [x, w, y] = [
      [batch, inputs],
      [outputs, inputs],
      [batch, outputs],
    ];
    const flops = 2 * batch * inputs * outputs;
    return [
      { name: `${stack}${layer}/nt`, layout: "nt", shapes: [x, w, y], flops },
      { name: `${stack}${layer}/tn`, layout: "tn", shapes: [y, x, w], flops },
      { name: `${stack}${layer}/nn`, layout: "nn", shapes: [y, w, x], flops },
    ];
  });
}
