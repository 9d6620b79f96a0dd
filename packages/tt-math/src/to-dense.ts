import { TtError } from "@tt-rec/tensor";
import { dot } from "./linear-algebra/vector-loops.ts";
import { coreShape } from "./shape/tt-shape.ts";
import { checkCores, type TTCores } from "./tt-cores.ts";

/**
 * The table that TT-cores stand for, row-major [n, D], without the padding rows; sums are float64, results float32.
 *
 * The table goes into the array `into` if there is one, else into a new one; it is returned.
 *
 * Goes through the rows in order and multiplies only the cores whose digit moved, so rows with a common prefix share it.
 *
 * Throws E_SHAPE when a core or the array has not the number of elements that the shape asks for, E_MEMORY when the table cannot be
 * allocated.
 */
export function toDense(tt: TTCores, into?: Float32Array): Float32Array {
  const { shape, cores } = tt;
  const { numEmbeddings, embeddingDim, rowShape, columnShape, ranks } = shape;
  const d = rowShape.length;
  checkCores(tt);
  if (into !== undefined && into.length !== numEmbeddings * embeddingDim) {
    throw new TtError(
      "E_SHAPE",
      `the table has ${numEmbeddings} x ${embeddingDim} elements, the array it goes into ${into.length}`,
    );
  }
  const table = into ?? allocate(numEmbeddings, embeddingDim);
  // products[k] is the product of the slices of cores 0 … k, [q1·…·qk, r_(k+1)] row-major.
  const counts = columnShape.map((_, k) => columnShape.slice(0, k + 1).reduce((a, b) => a * b, 1));
  const products = counts.slice(0, -1).map((count, k) => new Float64Array(count * ranks[k + 1]));
  const last = rankLast(cores[d - 1], coreShape(shape, d - 1));

  let row = 0;
  const descend = (k: number): void => {
    for (let digit = 0; digit < rowShape[k] && row < numEmbeddings; digit++) {
      if (k === d - 1) {
        multiplyLast(
          products[k - 1],
          ranks[k],
          last,
          digit * ranks[k] * columnShape[k],
          columnShape[k],
          table,
          row++ * embeddingDim,
        );
        continue;
      }
      const width = columnShape[k] * ranks[k + 1];
      const slice = digit * ranks[k] * width;
      if (k === 0) for (let i = 0; i < width; i++) products[0][i] = cores[0][slice + i];
      else multiply(products[k - 1], counts[k - 1], ranks[k], cores[k], slice, width, products[k]);
      descend(k + 1);
    }
  };
  descend(0);
  return table;
}

/** The last core with its rank as the last axis, [p, q, r], so that an element of the table is a product of two ranges. */
function rankLast(core: Float32Array, [p, rank, q]: readonly number[]): Float64Array {
  const result = new Float64Array(core.length);
  let to = 0;
  for (let i = 0; i < p; i++) {
    for (let j = 0; j < q; j++) {
      for (let a = 0; a < rank; a++) result[to++] = core[(i * rank + a) * q + j];
    }
  }
  return result;
}

/** Writes left · slice for left [count, rank] and a slice [q, rank] of `rankLast` to `table` from `at` on. */
function multiplyLast(
  left: Float64Array,
  rank: number,
  last: Float64Array,
  start: number,
  q: number,
  table: Float32Array,
  at: number,
): void {
  let to = at;
  for (let i = 0; i < left.length; i += rank) {
    for (let j = 0; j < q; j++) table[to++] = dot(left, i, last, start + j * rank, rank);
  }
}

/** out = left · slice for left [count, rank] and the slice [rank, width] that starts at `start`. */
function multiply(
  left: Float64Array,
  count: number,
  rank: number,
  core: Float32Array,
  start: number,
  width: number,
  out: Float64Array,
): void {
  out.fill(0);
  for (let i = 0; i < count; i++) {
    for (let a = 0; a < rank; a++) {
      const factor = left[i * rank + a];
      for (let b = 0; b < width; b++) out[i * width + b] += factor * core[start + a * width + b];
    }
  }
}

function allocate(numEmbeddings: number, embeddingDim: number): Float32Array {
  try {
    return new Float32Array(numEmbeddings * embeddingDim);
  } catch (cause) {
    const bytes = 4 * numEmbeddings * embeddingDim;
    throw new TtError("E_MEMORY", `the dense table of ${numEmbeddings} x ${embeddingDim} needs ${bytes} bytes`, {}, { cause });
  }
}
