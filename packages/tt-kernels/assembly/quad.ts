// The last core where its slices have four columns, as most tables' have: a row of a slice is one vector, so slices are read as they
// lie. Rows computed this way end in no sums over lanes, and no transposed copy of the slices is written.
//
// The rank is a constant in the loops of the usual ones: rows of a product then lie at constant distances from one address.
import { madd, splat } from "./simd";
import { column0, column1, column2, column3 } from "./transpose";

/** Rows of a product that share the loads of a slice. */
const TILE: u32 = 4;

/** A product [left, rank] times a slice [rank, 4]. */
@inline
export function multiplyQuad(product: usize, left: u32, rank: u32, slice: usize, out: usize): void {
  if (rank == 16) multiplyRank(product, left, 64, slice, out);
  else if (rank == 8) multiplyRank(product, left, 32, slice, out);
  else if (rank == 32) multiplyRank(product, left, 128, slice, out);
  else multiplyRank(product, left, <usize>rank << 2, slice, out);
}

/** `stride` is the bytes of a row of the product. */
@inline
function multiplyRank(product: usize, left: u32, stride: usize, slice: usize, out: usize): void {
  let row: u32 = 0;
  for (; row + TILE <= left; row += TILE) {
    let c0 = f32x4.splat(0);
    let c1 = c0;
    let c2 = c0;
    let c3 = c0;
    let b = slice;
    const end = product + stride;
    for (let a = product; a < end; a += 4) {
      const s = v128.load(b);
      c0 = madd(splat(a), s, c0);
      c1 = madd(splat(a + stride), s, c1);
      c2 = madd(splat(a + 2 * stride), s, c2);
      c3 = madd(splat(a + 3 * stride), s, c3);
      b += 16;
    }
    v128.store(out, c0);
    v128.store(out, c1, 16);
    v128.store(out, c2, 32);
    v128.store(out, c3, 48);
    out += 64;
    product += 4 * stride;
  }
  for (; row < left; row++) {
    let c = f32x4.splat(0);
    let b = slice;
    const end = product + stride;
    for (; product < end; product += 4) {
      c = madd(splat(product), v128.load(b), c);
      b += 16;
    }
    v128.store(out, c);
    out += 16;
  }
}

/** out [left, rank] (+)= gradient [left, 4] · sliceᵀ, for a rank that is a multiple of four; a slice is turned in registers. */
@inline
export function addQuadShare(out: usize, left: u32, rank: u32, gradient: usize, slice: usize, fresh: bool): void {
  if (rank == 16) addRank(out, left, 64, gradient, slice, fresh);
  else if (rank == 8) addRank(out, left, 32, gradient, slice, fresh);
  else if (rank == 32) addRank(out, left, 128, gradient, slice, fresh);
  else addRank(out, left, <usize>rank << 2, gradient, slice, fresh);
}

@inline
function addRank(out: usize, left: u32, stride: usize, gradient: usize, slice: usize, fresh: bool): void {
  const end = out + stride;
  for (; out < end; out += 16) {
    const a = v128.load(slice);
    const b = v128.load(slice, 16);
    const c = v128.load(slice, 32);
    const d = v128.load(slice, 48);
    const t0 = column0(a, b, c, d);
    const t1 = column1(a, b, c, d);
    const t2 = column2(a, b, c, d);
    const t3 = column3(a, b, c, d);
    let to = out;
    let g = gradient;
    for (let row: u32 = 0; row < left; row++) {
      const x = splat(g);
      let sum = fresh ? f32x4.mul(x, t0) : madd(x, t0, v128.load(to));
      sum = madd(v128.load32_splat(g, 4), t1, sum);
      sum = madd(v128.load32_splat(g, 8), t2, sum);
      sum = madd(v128.load32_splat(g, 12), t3, sum);
      v128.store(to, sum);
      to += stride;
      g += 16;
    }
    slice += 64;
  }
}

/** sum [rank, 4] += productᵀ · gradient, with the product [left, rank] and the gradient [left, 4]. */
@inline
export function addQuadSum(sum: usize, left: u32, rank: u32, product: usize, gradient: usize): void {
  if (rank == 16) addSumRank(sum, left, 64, product, gradient);
  else if (rank == 8) addSumRank(sum, left, 32, product, gradient);
  else if (rank == 32) addSumRank(sum, left, 128, product, gradient);
  else addSumRank(sum, left, <usize>rank << 2, product, gradient);
}

@inline
function addSumRank(sum: usize, left: u32, stride: usize, product: usize, gradient: usize): void {
  const end = sum + (stride << 2);
  let row: u32 = 0;
  for (; row + TILE <= left; row += TILE) {
    const g0 = v128.load(gradient);
    const g1 = v128.load(gradient, 16);
    const g2 = v128.load(gradient, 32);
    const g3 = v128.load(gradient, 48);
    let p = product;
    for (let to = sum; to < end; to += 16) {
      let total = madd(splat(p), g0, v128.load(to));
      total = madd(splat(p + stride), g1, total);
      total = madd(splat(p + 2 * stride), g2, total);
      v128.store(to, madd(splat(p + 3 * stride), g3, total));
      p += 4;
    }
    gradient += 64;
    product += 4 * stride;
  }
  for (; row < left; row++) {
    const g = v128.load(gradient);
    for (let to = sum; to < end; to += 16) {
      v128.store(to, madd(splat(product), g, v128.load(to)));
      product += 4;
    }
    gradient += 16;
  }
}
