import { createRng, type NamedTensors, type Rng } from "@tt-rec/tensor";
import { denseFromCores } from "@tt-rec/testing";
import { createTTShape, type TTShape } from "@tt-rec/tt-math";

/** Shapes of 2 to 5 cores in unequal primes, so that a swapped axis cannot go unnoticed; columns are no multiple of 4. */
export const SHAPES: readonly TTShape[] = [
  createTTShape({ numEmbeddings: 76, embeddingDim: 15, rowShape: [7, 11], columnShape: [3, 5], ranks: [13] }),
  createTTShape({ numEmbeddings: 101, embeddingDim: 30, rowShape: [3, 7, 5], columnShape: [3, 2, 5], ranks: [5, 3] }),
  createTTShape({ numEmbeddings: 201, embeddingDim: 14, rowShape: [3, 7, 2, 5], columnShape: [2, 1, 1, 7], ranks: [2, 5, 3] }),
  createTTShape({
    numEmbeddings: 203,
    embeddingDim: 12,
    rowShape: [3, 2, 7, 1, 5],
    columnShape: [2, 1, 3, 1, 2],
    ranks: [3, 2, 5, 2],
  }),
];

/** Normal values for the cores of a shape. */
export function randomCores(shape: TTShape, seed: number): Float32Array[] {
  const { normal } = createRng(seed);
  return shape.rowShape.map((p, k) =>
    Float32Array.from({ length: p * shape.ranks[k] * shape.columnShape[k] * shape.ranks[k + 1] }, () => normal()),
  );
}

/** Normal numbers in single precision. */
export function normals(rng: Rng, length: number): Float32Array {
  return Float32Array.from({ length }, () => rng.normal());
}

/** The table by its definition: the rows of the cores, and over them the cached rows, which stand in the order of `ids`. */
export function overlayTable(
  shape: TTShape,
  cores: readonly ArrayLike<number>[],
  ids: ArrayLike<number>,
  cachedRows: ArrayLike<number>,
): Float64Array {
  const dim = shape.embeddingDim;
  const table = denseFromCores(cores, shape.rowShape, shape.columnShape, shape.ranks).slice(0, shape.numEmbeddings * dim);
  for (let slot = 0; slot < ids.length; slot++) {
    for (let j = 0; j < dim; j++) table[ids[slot] * dim + j] = cachedRows[slot * dim + j];
  }
  return table;
}

/** The parts of a cached bag's state: cores, ids in the cache, and their rows. */
export function partsOf(state: NamedTensors, shape: TTShape): { cores: Float32Array[]; ids: number[]; rows: Float32Array } {
  const data = (name: string): ArrayLike<number> => state.get(name)?.data ?? [];
  return {
    cores: shape.rowShape.map((_, k) => Float32Array.from(data(`core.${k}`))),
    ids: Array.from(data("cache.ids")),
    rows: Float32Array.from(data("cache.rows")),
  };
}
