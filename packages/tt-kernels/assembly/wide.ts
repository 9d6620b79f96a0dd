// The last core where its slices have eight columns or another multiple of four, and are read as they lie; those of four are in `quad`.
import { addTransposed, storeSums } from "./dots";
import { tile1x16, tile1x4, tile2x16 } from "./products";
import { madd, splat, sumLanes } from "./simd";

/** A product [left, rank] times a slice [rank, columns]. */
@inline
export function multiplyWide(product: usize, left: u32, rank: u32, slice: usize, columns: u32, out: usize): void {
  if (columns == 8) multiplyPanels(product, left, rank, slice, 32, out);
  else if (columns == 16) multiplyPanels(product, left, rank, slice, 64, out);
  else multiplyPanels(product, left, rank, slice, <usize>columns << 2, out);
}

/** `stride` is the bytes of a row of the slice. */
@inline
function multiplyPanels(product: usize, left: u32, rank: u32, slice: usize, stride: usize, out: usize): void {
  const productStride = <usize>rank << 2;
  let column: usize = 0;
  for (; column + 64 <= stride; column += 64) {
    let a = product;
    let to = out + column;
    let row: u32 = 0;
    for (; row + 2 <= left; row += 2) {
      tile2x16(a, a + productStride, rank, slice + column, stride, to);
      a += productStride << 1;
      to += stride << 1;
    }
    if (row < left) tile1x16(a, rank, slice + column, stride, to);
  }
  for (; column + 32 <= stride; column += 32) {
    let a = product;
    let to = out + column;
    let row: u32 = 0;
    for (; row + 2 <= left; row += 2) {
      tile2x8(a, a + productStride, rank, slice + column, stride, to);
      a += productStride << 1;
      to += stride << 1;
    }
    if (row < left) {
      v128.store(to, tile1x4(a, rank, slice + column, stride));
      v128.store(to, tile1x4(a, rank, slice + column + 16, stride), 16);
    }
  }
  if (column == stride) return;
  for (let row: u32 = 0; row < left; row++) {
    v128.store(out + row * stride + column, tile1x4(product + row * productStride, rank, slice + column, stride));
  }
}

@inline
function tile2x8(a0: usize, a1: usize, k: u32, b: usize, stride: usize, out: usize): void {
  let c00 = f32x4.splat(0);
  let c01 = c00;
  let c10 = c00;
  let c11 = c00;
  const end = a0 + (<usize>k << 2);
  while (a0 < end) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    const x = splat(a0);
    c00 = madd(x, b0, c00);
    c01 = madd(x, b1, c01);
    const y = splat(a1);
    c10 = madd(y, b0, c10);
    c11 = madd(y, b1, c11);
    a0 += 4;
    a1 += 4;
    b += stride;
  }
  v128.store(out, c00);
  v128.store(out, c01, 16);
  v128.store(out + stride, c10);
  v128.store(out + stride, c11, 16);
}

/** out [left, rank] (+)= gradient [left, columns] · sliceᵀ, for a rank that is a multiple of four. */
@inline
export function addWideShare(out: usize, left: u32, rank: u32, gradient: usize, columns: u32, slice: usize, fresh: bool): void {
  if (columns == 8) addShareOf8(out, left, rank, gradient, slice, fresh);
  else if (columns == 16) addTransposed(gradient, left, 64, slice, rank, out, fresh);
  else addTransposed(gradient, left, <usize>columns << 2, slice, rank, out, fresh);
}

/** Eight columns: the rows of the gradient stay in registers while the slice passes by. */
@inline
function addShareOf8(out: usize, left: u32, rank: u32, gradient: usize, slice: usize, fresh: bool): void {
  const stride = <usize>rank << 2;
  const end = slice + ((<usize>rank << 3) << 2);
  let row: u32 = 0;
  for (; row + 2 <= left; row += 2) {
    const x0 = v128.load(gradient);
    const x1 = v128.load(gradient, 16);
    const y0 = v128.load(gradient, 32);
    const y1 = v128.load(gradient, 48);
    let to = out;
    for (let from = slice; from < end; from += 128) {
      const a0 = v128.load(from);
      const a1 = v128.load(from, 16);
      const b0 = v128.load(from, 32);
      const b1 = v128.load(from, 48);
      const c0 = v128.load(from, 64);
      const c1 = v128.load(from, 80);
      const d0 = v128.load(from, 96);
      const d1 = v128.load(from, 112);
      storeSums(to, sumLanes(dot8(x0, x1, a0, a1), dot8(x0, x1, b0, b1), dot8(x0, x1, c0, c1), dot8(x0, x1, d0, d1)), fresh);
      const sums = sumLanes(dot8(y0, y1, a0, a1), dot8(y0, y1, b0, b1), dot8(y0, y1, c0, c1), dot8(y0, y1, d0, d1));
      storeSums(to + stride, sums, fresh);
      to += 16;
    }
    gradient += 64;
    out += stride << 1;
  }
  if (row < left) addTransposed(gradient, 1, 32, slice, rank, out, fresh);
}

/** Four lanes whose sum is the product of two rows of eight. */
@inline
function dot8(x0: v128, x1: v128, a0: v128, a1: v128): v128 {
  return madd(x1, a1, f32x4.mul(x0, a0));
}

/** sum [rank, columns] += productᵀ · gradient, with the product [left, rank] and the gradient [left, columns]. */
@inline
export function addWideSum(sum: usize, left: u32, rank: u32, product: usize, gradient: usize, columns: u32): void {
  if (columns == 8) addSumPanels(sum, left, rank, product, gradient, 32);
  else if (columns == 16) addSumPanels(sum, left, rank, product, gradient, 64);
  else addSumPanels(sum, left, rank, product, gradient, <usize>columns << 2);
}

@inline
function addSumPanels(sum: usize, left: u32, rank: u32, product: usize, gradient: usize, stride: usize): void {
  const productStride = <usize>rank << 2;
  let row: u32 = 0;
  for (; row + 2 <= left; row += 2) {
    let column: usize = 0;
    for (; column + 32 <= stride; column += 32) {
      addPairOfRows(sum + column, productStride, product, gradient + column, stride);
    }
    if (column < stride) {
      addRow4(sum + column, productStride, product, gradient + column, stride);
      addRow4(sum + column, productStride, product + productStride, gradient + stride + column, stride);
    }
    product += productStride << 1;
    gradient += stride << 1;
  }
  if (row == left) return;
  for (let column: usize = 0; column < stride; column += 16) {
    addRow4(sum + column, productStride, product, gradient + column, stride);
  }
}

/** Eight columns of two rows of a product and a gradient. */
@inline
function addPairOfRows(sum: usize, productStride: usize, product: usize, gradient: usize, stride: usize): void {
  const g0 = v128.load(gradient);
  const g1 = v128.load(gradient, 16);
  const h0 = v128.load(gradient + stride);
  const h1 = v128.load(gradient + stride, 16);
  const end = product + productStride;
  for (; product < end; product += 4) {
    const x = splat(product);
    const y = splat(product + productStride);
    v128.store(sum, madd(y, h0, madd(x, g0, v128.load(sum))));
    v128.store(sum, madd(y, h1, madd(x, g1, v128.load(sum, 16))), 16);
    sum += stride;
  }
}

/** Four columns of one row. */
@inline
function addRow4(sum: usize, productStride: usize, product: usize, gradient: usize, stride: usize): void {
  const g = v128.load(gradient);
  const end = product + productStride;
  for (; product < end; product += 4) {
    v128.store(sum, madd(splat(product), g, v128.load(sum)));
    sum += stride;
  }
}
