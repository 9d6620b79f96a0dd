import type { DenseKernels, Rng, Tensor } from "@tt-rec/tensor";
import { rightSingularVectors } from "../../linear-algebra/jacobi.ts";
import { qr } from "../../linear-algebra/qr.ts";
import type { Buffers } from "./buffers.ts";
import type { Unfolding } from "./unfolding.ts";

/** Singular values below this part of the largest are rounding of float32. */
const NOISE = 1e-6;

/** Leading singular vectors of an unfolding. */
export interface Range {
  /** Orthonormal columns, row-major [rows, size]. */
  readonly basis: Float64Array;
  /** basisᵀ·A in tiles [size, columns]: rows are orthogonal, and as long as `values`. */
  readonly tiles: readonly Tensor[];
  /** Singular values, descending. */
  readonly values: Float64Array;
}

/**
 * Finds the `size` leading singular vectors of an unfolding: a random sketch and power iterations with orthonormal vectors
 * in between (Halko, Martinsson and Tropp 2011, algorithm 4.4), then the SVD in that range.
 *
 * Each power iteration goes through the unfolding twice, the rest twice more. The tiles are the caller's to free with `buffers`.
 */
export async function findRange(
  kernels: DenseKernels,
  buffers: Buffers,
  unfolding: Unfolding,
  size: number,
  powerIterations: number,
  rng: Rng,
): Promise<Range> {
  const tiles = unfolding.widths.map((width) => buffers.take([size, width]));
  const products = buffers.takeDistinct(tiles.map(({ shape }) => shape));
  for (const tile of tiles) fillSigns(tile.data, rng);
  const orthonormalRange = async (): Promise<Float64Array> =>
    qr(await times(kernels, buffers, unfolding, tiles, size), unfolding.rows, size).q;
  let basis = await orthonormalRange();
  for (let iteration = 0; iteration < powerIterations; iteration++) {
    await transposeTimes(kernels, buffers, unfolding, basis, tiles, products, size);
    await orthogonalizeRows(kernels, buffers, tiles, products, size, true);
    basis = await orthonormalRange();
  }
  await transposeTimes(kernels, buffers, unfolding, basis, tiles, products, size);
  const { values, vectors } = await orthogonalizeRows(kernels, buffers, tiles, products, size, false);
  return { basis: rotate(basis, vectors, unfolding.rows, size), tiles, values };
}

/** A·tilesᵀ, row-major [rows, size]; sums over tiles are in float64. */
async function times(
  kernels: DenseKernels,
  buffers: Buffers,
  unfolding: Unfolding,
  tiles: readonly Tensor[],
  size: number,
): Promise<Float64Array> {
  const result = new Float64Array(unfolding.rows * size);
  const product = buffers.take([unfolding.chunkRows, size]);
  for await (const chunk of unfolding.chunks()) {
    const to = chunk.firstRow * size;
    for (const [t, tile] of chunk.tiles.entries()) {
      await kernels.gemm("nt", tile, tiles[t], product);
      const { data } = product;
      for (let i = 0; i < chunk.rows * size; i++) result[to + i] += data[i];
    }
  }
  return result;
}

/** Replaces the tiles by basisᵀ·A. */
async function transposeTimes(
  kernels: DenseKernels,
  buffers: Buffers,
  unfolding: Unfolding,
  basis: Float64Array,
  tiles: readonly Tensor[],
  products: (shape: readonly number[]) => Tensor,
  size: number,
): Promise<void> {
  const rows = buffers.take([unfolding.chunkRows, size]);
  let first = true;
  for await (const chunk of unfolding.chunks()) {
    const { data } = rows;
    const from = chunk.firstRow * size;
    for (let i = 0; i < data.length; i++) data[i] = i < chunk.rows * size ? basis[from + i] : 0;
    for (const [t, tile] of chunk.tiles.entries()) {
      const target = tiles[t];
      const product = first ? target : products(target.shape);
      await kernels.gemm("tn", rows, tile, product);
      if (!first) addTo(target.data, product.data);
    }
    first = false;
  }
}

/** Rotates the rows of the tiles until they are orthogonal, longest first; with `normalize` they get the length 1. */
async function orthogonalizeRows(
  kernels: DenseKernels,
  buffers: Buffers,
  tiles: readonly Tensor[],
  products: (shape: readonly number[]) => Tensor,
  size: number,
  normalize: boolean,
): Promise<{ values: Float64Array; vectors: Float64Array }> {
  const gram = normalize ? await quickGramOf(kernels, buffers, tiles, size) : gramOf(tiles, size);
  const { vectors, values: squares } = rightSingularVectors(gram, size);
  const values = squares.map(Math.sqrt);
  const rotation = buffers.take([size, size]);
  const { data } = rotation;
  for (let k = 0; k < size; k++) {
    const scale = normalize ? (values[k] > NOISE * values[0] ? 1 / values[k] : 0) : 1;
    for (let i = 0; i < size; i++) data[k * size + i] = scale * vectors[k * size + i];
  }
  await multiplyTiles(kernels, rotation, tiles, products);
  return { values, vectors };
}

/** The products of all pairs of rows, row-major [size, size], in float32 within a tile: enough to make rows orthogonal. */
async function quickGramOf(
  kernels: DenseKernels,
  buffers: Buffers,
  tiles: readonly Tensor[],
  size: number,
): Promise<Float64Array> {
  const gram = new Float64Array(size * size);
  const product = buffers.take([size, size]);
  for (const tile of tiles) {
    await kernels.gemm("nt", tile, tile, product);
    const { data } = product;
    for (let i = 0; i < gram.length; i++) gram[i] += data[i];
  }
  return gram;
}

/** The same, all in float64: float32 sums would hide small singular values. */
function gramOf(tiles: readonly Tensor[], size: number): Float64Array {
  const gram = new Float64Array(size * size);
  for (const { data, shape } of tiles) {
    const width = shape[1];
    for (let a = 0; a < size; a++) {
      for (let b = 0; b <= a; b++) {
        let [even, odd] = [0, 0];
        const [first, second] = [a * width, b * width];
        for (let i = 0; i + 1 < width; i += 2) {
          even += data[first + i] * data[second + i];
          odd += data[first + i + 1] * data[second + i + 1];
        }
        if (width % 2 === 1) even += data[first + width - 1] * data[second + width - 1];
        gram[a * size + b] += even + odd;
      }
    }
  }
  for (let a = 0; a < size; a++) for (let b = 0; b < a; b++) gram[b * size + a] = gram[a * size + b];
  return gram;
}

/** Replaces each tile by left·tile. */
async function multiplyTiles(
  kernels: DenseKernels,
  left: Tensor,
  tiles: readonly Tensor[],
  products: (shape: readonly number[]) => Tensor,
): Promise<void> {
  for (const tile of tiles) {
    const product = products(tile.shape);
    await kernels.gemm("nn", left, tile, product);
    tile.data.set(product.data);
  }
}

/** basis·vectorsᵀ: the same columns, rotated. */
function rotate(basis: Float64Array, vectors: Float64Array, rows: number, size: number): Float64Array {
  const result = new Float64Array(rows * size);
  for (let row = 0; row < rows; row++) {
    for (let k = 0; k < size; k++) {
      let sum = 0;
      for (let i = 0; i < size; i++) sum += basis[row * size + i] * vectors[k * size + i];
      result[row * size + k] = sum;
    }
  }
  return result;
}

/** Random signs: as good a sketch as normal numbers, at a bit each. */
function fillSigns(values: Float32Array, rng: Rng): void {
  for (let i = 0; i < values.length; i += 32) {
    let bits = rng.uint32();
    const end = Math.min(i + 32, values.length);
    for (let k = i; k < end; k++) {
      values[k] = bits & 1 ? 1 : -1;
      bits >>>= 1;
    }
  }
}

function addTo(target: Float32Array, values: Float32Array): void {
  for (let i = 0; i < target.length; i++) target[i] += values[i];
}
