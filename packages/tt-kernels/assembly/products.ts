// Products of rows that lie anywhere, given by pointers, with one matrix: [rows, k] · [k, n] → [rows, n].
//
// Tiles of 2 × 16 keep 8 sums in registers, enough to hide the latency of the additions; V8 spills with more. What is left
// of the columns is done 4 and 1 at a time.
import { madd, splat } from "./simd";

/** The rows of `pointers` [rows] times `b` [k, n], stored one after another. */
export function multiplyRows(pointers: usize, rows: i32, k: i32, b: usize, n: i32, out: usize): void {
  const stride = <usize>n << 2;
  let column = 0;
  for (; column + 16 <= n; column += 16) {
    const panel = b + (<usize>column << 2);
    let target = out + (<usize>column << 2);
    let row = 0;
    for (; row + 2 <= rows; row += 2) {
      const at = pointers + (<usize>row << 2);
      tile2x16(load<u32>(at), load<u32>(at, 4), k, panel, stride, target);
      target += stride << 1;
    }
    if (row < rows) tile1x16(load<u32>(pointers + (<usize>row << 2)), k, panel, stride, target);
  }
  for (; column + 4 <= n; column += 4) {
    for (let row = 0; row < rows; row++) {
      const a = <usize>load<u32>(pointers + (<usize>row << 2));
      v128.store(out + <usize>row * stride + (<usize>column << 2), tile1x4(a, k, b + (<usize>column << 2), stride));
    }
  }
  for (; column < n; column++) {
    for (let row = 0; row < rows; row++) {
      const a = <usize>load<u32>(pointers + (<usize>row << 2));
      store<f32>(out + <usize>row * stride + (<usize>column << 2), tile1x1(a, k, b + (<usize>column << 2), stride));
    }
  }
}

@inline
export function tile2x16(a0: usize, a1: usize, k: i32, b: usize, stride: usize, out: usize): void {
  let c00 = f32x4.splat(0);
  let c01 = c00;
  let c02 = c00;
  let c03 = c00;
  let c10 = c00;
  let c11 = c00;
  let c12 = c00;
  let c13 = c00;
  const end = a0 + (<usize>k << 2);
  while (a0 < end) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    const b2 = v128.load(b, 32);
    const b3 = v128.load(b, 48);
    const x = splat(a0);
    c00 = madd(x, b0, c00);
    c01 = madd(x, b1, c01);
    c02 = madd(x, b2, c02);
    c03 = madd(x, b3, c03);
    const y = splat(a1);
    c10 = madd(y, b0, c10);
    c11 = madd(y, b1, c11);
    c12 = madd(y, b2, c12);
    c13 = madd(y, b3, c13);
    a0 += 4;
    a1 += 4;
    b += stride;
  }
  v128.store(out, c00);
  v128.store(out, c01, 16);
  v128.store(out, c02, 32);
  v128.store(out, c03, 48);
  out += stride;
  v128.store(out, c10);
  v128.store(out, c11, 16);
  v128.store(out, c12, 32);
  v128.store(out, c13, 48);
}

@inline
export function tile1x16(a: usize, k: i32, b: usize, stride: usize, out: usize): void {
  let c0 = f32x4.splat(0);
  let c1 = c0;
  let c2 = c0;
  let c3 = c0;
  const end = a + (<usize>k << 2);
  while (a < end) {
    const x = splat(a);
    c0 = madd(x, v128.load(b), c0);
    c1 = madd(x, v128.load(b, 16), c1);
    c2 = madd(x, v128.load(b, 32), c2);
    c3 = madd(x, v128.load(b, 48), c3);
    a += 4;
    b += stride;
  }
  v128.store(out, c0);
  v128.store(out, c1, 16);
  v128.store(out, c2, 32);
  v128.store(out, c3, 48);
}

@inline
export function tile1x4(a: usize, k: i32, b: usize, stride: usize): v128 {
  let sum = f32x4.splat(0);
  const end = a + (<usize>k << 2);
  while (a < end) {
    sum = madd(splat(a), v128.load(b), sum);
    a += 4;
    b += stride;
  }
  return sum;
}

@inline
function tile1x1(a: usize, k: i32, b: usize, stride: usize): f32 {
  let sum: f32 = 0;
  const end = a + (<usize>k << 2);
  while (a < end) {
    sum += load<f32>(a) * load<f32>(b);
    a += 4;
    b += stride;
  }
  return sum;
}
