import { TtError } from "@tt-rec/tensor";

/**
 * Columns d_i = λ·n_i^(−temperature) for tables of n_i rows, rounded and at least 1, with λ such that the smallest table keeps
 * `embeddingDim` (Ginart et al., arXiv 1909.11810; DLRM's `--md-temperature`). With `powersOfTwo` each becomes the
 * nearest power of two (`--md-round-dims`), but none exceeds `embeddingDim`. Throws `E_OPTION`.
 */
export function mixedDimensions(
  numEmbeddings: readonly number[],
  embeddingDim: number,
  temperature: number,
  powersOfTwo = false,
): number[] {
  if (!(temperature >= 0 && Number.isFinite(temperature)))
    throw new TtError("E_OPTION", `temperature = ${temperature} is not a finite number of at least 0`);
  const smallest = Math.min(...numEmbeddings);
  return numEmbeddings.map((n) => {
    const dimension = Math.max(1, Math.round(embeddingDim * (smallest / n) ** temperature));
    return Math.min(embeddingDim, powersOfTwo ? 2 ** Math.round(Math.log2(dimension)) : dimension);
  });
}
