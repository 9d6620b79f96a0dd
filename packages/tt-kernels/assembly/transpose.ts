// The last core with its slices transposed: rows and their gradients are products along its rank.
import { transpose4 } from "./simd";

/** The slices of the last core that a batch touches, [rank, columns] → [columns, rank]. */
@unmanaged
export class Transpose {
  segmentDigits: usize;
  core: usize;
  rank: u32;
  columns: u32;
  /** One slice a digit, at the digit's place. */
  transposed: usize;
}

/** Transposes the slices of segments [begin, end). */
export function transposeSlices(args: usize, begin: i32, end: i32): void {
  const transpose = changetype<Transpose>(args);
  const rank = transpose.rank;
  const columns = transpose.columns;
  const bytes = <usize>(rank * columns) << 2;
  for (let segment = begin; segment < end; segment++) {
    const offset = <usize>load<u32>(transpose.segmentDigits + (<usize>segment << 2)) * bytes;
    const from = transpose.core + offset;
    const to = transpose.transposed + offset;
    for (let row: u32 = 0; row < rank; row += 4) {
      for (let column: u32 = 0; column < columns; column += 4) {
        if (row + 4 <= rank && column + 4 <= columns) transpose4x4(from, columns, to, rank, row, column);
        else transposeEdge(from, columns, to, rank, row, column);
      }
    }
  }
}

@inline
function transpose4x4(from: usize, columns: u32, to: usize, rank: u32, row: u32, column: u32): void {
  const stride = <usize>columns << 2;
  const a = from + ((<usize>row * columns + column) << 2);
  const r0 = v128.load(a);
  const r1 = v128.load(a + stride);
  const r2 = v128.load(a + (stride << 1));
  const r3 = v128.load(a + 3 * stride);
  transpose4(r0, r1, r2, r3, to + ((<usize>column * rank + row) << 2), <usize>rank << 2);
}

/** At most 4 × 4 elements at the edge of a slice. */
function transposeEdge(from: usize, columns: u32, to: usize, rank: u32, row: u32, column: u32): void {
  for (let r = row; r < min(row + 4, rank); r++) {
    for (let c = column; c < min(column + 4, columns); c++) {
      store<f32>(to + ((<usize>c * rank + r) << 2), load<f32>(from + ((<usize>r * columns + c) << 2)));
    }
  }
}

/** The columns of a 4 × 4 matrix given by its rows. */
@inline
export function column0(a: v128, b: v128, c: v128, d: v128): v128 {
  return v128.shuffle<f32>(v128.shuffle<f32>(a, b, 0, 4, 1, 5), v128.shuffle<f32>(c, d, 0, 4, 1, 5), 0, 1, 4, 5);
}

@inline
export function column1(a: v128, b: v128, c: v128, d: v128): v128 {
  return v128.shuffle<f32>(v128.shuffle<f32>(a, b, 0, 4, 1, 5), v128.shuffle<f32>(c, d, 0, 4, 1, 5), 2, 3, 6, 7);
}

@inline
export function column2(a: v128, b: v128, c: v128, d: v128): v128 {
  return v128.shuffle<f32>(v128.shuffle<f32>(a, b, 2, 6, 3, 7), v128.shuffle<f32>(c, d, 2, 6, 3, 7), 0, 1, 4, 5);
}

@inline
export function column3(a: v128, b: v128, c: v128, d: v128): v128 {
  return v128.shuffle<f32>(v128.shuffle<f32>(a, b, 2, 6, 3, 7), v128.shuffle<f32>(c, d, 2, 6, 3, 7), 2, 3, 6, 7);
}
