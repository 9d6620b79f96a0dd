import { madd } from "./simd";

/**
 * The innermost loops of `product`: a tile of 1 to 6 rows × 8 columns of the result, k steps of two loads of the panel, and
 * one broadcast and two multiply-adds a row.
 *
 * V8 has 15 vector registers; what does not fit is spilled and halves the speed. GFLOP/s on Zen 4, Node 20, panel in the
 * first-level cache, where the unit's limit (12 chains of multiply-adds) is 58:
 *
 *     rows × columns   2×16   4×8   5×8   6×8   3×12   3×16   4×12   2×12
 *     relaxed            53    51    53    55     52     26     27     42
 *     plain              41    39    40    29     41     28     28     36
 *
 * Hence six rows for the relaxed build and five for the plain one, which also pack less (8 columns, not 16). An interleaved
 * packed left operand gains nothing over one pointer a row. Three things that look harmless make V8 spill: any arithmetic on
 * the sums behind the loop (so ReLU is a pass of its own over the panel) and a branch around the stores (so a narrow last
 * panel goes through a buffer) bring 57 down to 26, a pointer carried from store to store brings it to 46.
 *
 * With packing, on one thread: all products of DLRM's MLPs for Kaggle, forward and backward, run at 53 (relaxed) and 41
 * (plain) at 128 samples, and at 51 and 39 at 2048.
 */

/** Columns of a panel of the packed right operand. */
export const PANEL: i32 = 8;

/** Bytes of one row of a panel. */
export const PANEL_ROW: usize = 32;

/** Most rows of a tile. */
export const TILE_ROWS: i32 = ASC_FEATURE_RELAXED_SIMD ? 6 : 5;

/**
 * Adds to the sums at `start` the products of `rows` rows of `a` and the rows [b, end) of a panel, and writes them to `out`.
 * Rows lie `aStride`, `startStride` and `outStride` bytes apart. `rows` is a constant at each call, so the branches vanish.
 */
// @ts-ignore: decorator
@inline
function tile(
  rows: i32,
  a: usize,
  aStride: usize,
  b: usize,
  end: usize,
  start: usize,
  startStride: usize,
  out: usize,
  outStride: usize,
): void {
  let from = start;
  let low0 = v128.load(from);
  let high0 = v128.load(from, 16);
  if (rows > 1) from += startStride;
  let low1 = v128.load(from);
  let high1 = v128.load(from, 16);
  if (rows > 2) from += startStride;
  let low2 = v128.load(from);
  let high2 = v128.load(from, 16);
  if (rows > 3) from += startStride;
  let low3 = v128.load(from);
  let high3 = v128.load(from, 16);
  if (rows > 4) from += startStride;
  let low4 = v128.load(from);
  let high4 = v128.load(from, 16);
  if (rows > 5) from += startStride;
  let low5 = v128.load(from);
  let high5 = v128.load(from, 16);
  let a0 = a;
  let a1 = a0 + aStride;
  let a2 = a1 + aStride;
  let a3 = a2 + aStride;
  let a4 = a3 + aStride;
  let a5 = a4 + aStride;
  while (b < end) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    b += PANEL_ROW;
    const x0 = v128.load_splat<f32>(a0);
    low0 = madd(x0, b0, low0);
    high0 = madd(x0, b1, high0);
    a0 += 4;
    if (rows > 1) {
      const x1 = v128.load_splat<f32>(a1);
      low1 = madd(x1, b0, low1);
      high1 = madd(x1, b1, high1);
      a1 += 4;
    }
    if (rows > 2) {
      const x2 = v128.load_splat<f32>(a2);
      low2 = madd(x2, b0, low2);
      high2 = madd(x2, b1, high2);
      a2 += 4;
    }
    if (rows > 3) {
      const x3 = v128.load_splat<f32>(a3);
      low3 = madd(x3, b0, low3);
      high3 = madd(x3, b1, high3);
      a3 += 4;
    }
    if (rows > 4) {
      const x4 = v128.load_splat<f32>(a4);
      low4 = madd(x4, b0, low4);
      high4 = madd(x4, b1, high4);
      a4 += 4;
    }
    if (rows > 5) {
      const x5 = v128.load_splat<f32>(a5);
      low5 = madd(x5, b0, low5);
      high5 = madd(x5, b1, high5);
      a5 += 4;
    }
  }
  v128.store(out, low0);
  v128.store(out, high0, 16);
  if (rows > 1) {
    v128.store(out + 1 * outStride, low1);
    v128.store(out + 1 * outStride, high1, 16);
  }
  if (rows > 2) {
    v128.store(out + 2 * outStride, low2);
    v128.store(out + 2 * outStride, high2, 16);
  }
  if (rows > 3) {
    v128.store(out + 3 * outStride, low3);
    v128.store(out + 3 * outStride, high3, 16);
  }
  if (rows > 4) {
    v128.store(out + 4 * outStride, low4);
    v128.store(out + 4 * outStride, high4, 16);
  }
  if (rows > 5) {
    v128.store(out + 5 * outStride, low5);
    v128.store(out + 5 * outStride, high5, 16);
  }
}

export function tile1(a: usize, aa: usize, b: usize, end: usize, start: usize, ss: usize, out: usize, os: usize): void {
  tile(1, a, aa, b, end, start, ss, out, os);
}

export function tile2(a: usize, aa: usize, b: usize, end: usize, start: usize, ss: usize, out: usize, os: usize): void {
  tile(2, a, aa, b, end, start, ss, out, os);
}

export function tile3(a: usize, aa: usize, b: usize, end: usize, start: usize, ss: usize, out: usize, os: usize): void {
  tile(3, a, aa, b, end, start, ss, out, os);
}

export function tile4(a: usize, aa: usize, b: usize, end: usize, start: usize, ss: usize, out: usize, os: usize): void {
  tile(4, a, aa, b, end, start, ss, out, os);
}

export function tile5(a: usize, aa: usize, b: usize, end: usize, start: usize, ss: usize, out: usize, os: usize): void {
  tile(5, a, aa, b, end, start, ss, out, os);
}

export function tile6(a: usize, aa: usize, b: usize, end: usize, start: usize, ss: usize, out: usize, os: usize): void {
  tile(6, a, aa, b, end, start, ss, out, os);
}
