import type { TTShape } from "@tt-rec/tt-math";

/** Extents (r_k, p_k, q_k, r_(k+1)) of the example's cores. */
export const EXAMPLE_EXTENTS: readonly (readonly [number, number, number, number])[] = [
  [1, 2, 2, 2],
  [2, 3, 2, 3],
  [3, 2, 1, 1],
];

/**
 * A train of small integer cores whose rows, outputs, gradients and updates are known exactly: G_k[a, i, j, b] =
 * ((3a + 5i + 2j + 4b + k) mod 7) − 3 with axes (rank, row, column, rank').
 */
export const EXAMPLE: { readonly shape: TTShape; readonly cores: readonly Float32Array[]; readonly rows: readonly number[][] } = {
  // Written out, because createTTShape refuses the last rank: 3 is above the smaller side of its bond.
  shape: { numEmbeddings: 12, embeddingDim: 4, rowShape: [2, 3, 2], columnShape: [2, 2, 1], ranks: [1, 2, 3, 1] },
  cores: [0, 1, 2].map(exampleCore),
  rows: [
    [-33, 27, -35, 17],
    [-6, -27, 6, -57],
    [-2, -33, 18, -35],
    [57, -6, 27, 6],
    [36, -2, 36, 18],
    [-6, 57, 6, 27],
    [25, -19, -33, 27],
    [3, 24, -6, -27],
    [-1, 25, -2, -33],
    [-39, 3, 57, -6],
    [-27, -1, 36, -2],
    [3, -39, -6, 57],
  ],
};

/** Its gradients for the batch of the tests, in the axis order (rank, row, column, rank'). */
export const EXAMPLE_GRADIENTS: readonly number[][] = [
  [19, -9, -2, -15, -15, -15, -27, -27],
  [-13, -10, 28, 0, 6, -9, 0, 0, 0, 0, 0, 0, -9, 0, 9, 6, 0, -6, -1, 14, -20, 1, -2, 2, 0, 0, 0, 0, 0, 0, 3, 0, -3, -9, 0, 9],
  [14, -17, -33, 21, 25, 3],
];

/** Moves values from the axis order (rank, row, column, rank') to ours, (row, rank, column, rank'). */
export function toRowMajor(
  values: readonly number[],
  [left, rows, columns, right]: readonly [number, number, number, number],
): Float32Array {
  const result = new Float32Array(values.length);
  for (let a = 0; a < left; a++) {
    for (let i = 0; i < rows; i++) {
      for (let rest = 0; rest < columns * right; rest++) {
        result[(i * left + a) * columns * right + rest] = values[(a * rows + i) * columns * right + rest];
      }
    }
  }
  return result;
}

function exampleCore(k: number): Float32Array {
  const [left, rows, columns, right] = EXAMPLE_EXTENTS[k];
  const values: number[] = [];
  for (let a = 0; a < left; a++) {
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++)
        for (let b = 0; b < right; b++) values.push(((3 * a + 5 * i + 2 * j + 4 * b + k) % 7) - 3);
    }
  }
  return toRowMajor(values, EXAMPLE_EXTENTS[k]);
}
