// Gradients of the inner cores: sums over all nodes that multiply by a slice, in the order of the nodes.
import { ADAGRAD, Finish, finish1, finish4, finishAt, SGD, sliceOffset, STORE } from "./finish";
import { Level } from "./plan";
import { madd, splat } from "./simd";

/** Rows of a slice that are one unit of work: a hot slice is shared between threads. */
const SLICE_ROWS: u32 = 16;

/** An inner core. Units are pieces of slices: bucket by bucket, SLICE_ROWS rows each. */
@unmanaged
export class InnerGradient {
  level: Level;
  left: u32;
  rank: u32;
  columns: u32;
  /** Rows of the parents' products [count · left]. */
  pointers: usize;
  /** Gradients of the products [count, left · columns]. */
  gradients: usize;
  finish: Finish;
}

export function innerGradient(args: usize, begin: i32, end: i32): void {
  const inner = changetype<InnerGradient>(args);
  const rank = inner.rank;
  const pieces = (rank + SLICE_ROWS - 1) / SLICE_ROWS;
  for (let unit = <u32>begin; unit < <u32>end; unit++) {
    const bucket = unit / pieces;
    const row = (unit - bucket * pieces) * SLICE_ROWS;
    pieceGradient(inner, bucket, row, min(row + SLICE_ROWS, rank));
  }
}

/** Rows [first, last) of the gradient of a bucket's slice: Σ productᵀ · gradient. */
function pieceGradient(inner: InnerGradient, bucket: u32, first: u32, last: u32): void {
  const left = inner.left;
  const columns = inner.columns;
  const level = inner.level;
  const begin = load<u32>(level.bucketStarts + (<usize>bucket << 2)) * left;
  const count = load<u32>(level.bucketStarts + (<usize>bucket << 2), 4) * left - begin;
  const pointers = inner.pointers + (<usize>begin << 2);
  const stride = <usize>columns << 2;
  const gradients = inner.gradients + <usize>begin * stride;
  const digit = load<u32>(level.bucketDigits + (<usize>bucket << 2));
  const slice = sliceOffset(inner.finish, bucket, digit, <usize>inner.rank * stride);
  const finish = inner.finish;
  // The kind is a constant in each, which leaves the innermost code without a branch.
  if (finish.kind == STORE) sliceRows(pointers, count, first, last, gradients, stride, finish, slice, STORE);
  else if (finish.kind == SGD) sliceRows(pointers, count, first, last, gradients, stride, finish, slice, SGD);
  else sliceRows(pointers, count, first, last, gradients, stride, finish, slice, ADAGRAD);
}

/**
 * Row by row, so that the slice streams through the caches in the order of its bytes: most of a batch's slices are met by a few
 * nodes only, and their bytes are what takes the time.
 */
@inline
function sliceRows(
  pointers: usize,
  count: u32,
  first: u32,
  last: u32,
  gradients: usize,
  stride: usize,
  finish: Finish,
  slice: usize,
  kind: u32,
): void {
  if (count == 1) {
    oneTerm(pointers, first, last, gradients, stride, finish, slice, kind);
    return;
  }
  if (count == 2) {
    twoTerms(pointers, first, last, gradients, stride, finish, slice, kind);
    return;
  }
  let row = first;
  for (; row + 2 <= last; row += 2) {
    const offset = slice + <usize>row * stride;
    let column: usize = 0;
    if (count == 4) {
      column = stride & ~15;
      fourTerms(pointers, <usize>row << 2, gradients, stride, column, finish, offset, kind);
    } else {
      for (; column + 64 <= stride; column += 64) {
        outer2x16(pointers, count, <usize>row << 2, gradients + column, stride, finish, offset + column, kind);
      }
    }
    if (column < stride) {
      rowEdge(pointers, count, <usize>row << 2, gradients, stride, column, finish, offset);
      rowEdge(pointers, count, <usize>(row + 1) << 2, gradients, stride, column, finish, offset + stride);
    }
  }
  if (row < last) rowEdge(pointers, count, <usize>row << 2, gradients, stride, 0, finish, slice + <usize>row * stride);
}

/** A slice that one node of one row meets. The gradient of 32 columns stays in registers while the rows pass by. */
@inline
function oneTerm(pointers: usize, first: u32, last: u32, b: usize, stride: usize, finish: Finish, slice: usize, kind: u32): void {
  const product = <usize>load<u32>(pointers);
  const begin = product + (<usize>first << 2);
  const end = product + (<usize>last << 2);
  const rate = f32x4.splat(finish.rate);
  const eps = f32x4.splat(finish.eps);
  const scale = f32x4.splat(finish.scale);
  const state = finish.state - finish.target;
  let column: usize = 0;
  for (; column + 128 <= stride; column += 128) {
    const b0 = v128.load(b + column);
    const b1 = v128.load(b + column, 16);
    const b2 = v128.load(b + column, 32);
    const b3 = v128.load(b + column, 48);
    const b4 = v128.load(b + column, 64);
    const b5 = v128.load(b + column, 80);
    const b6 = v128.load(b + column, 96);
    const b7 = v128.load(b + column, 112);
    let at = finish.target + slice + <usize>first * stride + column;
    for (let factor = begin; factor < end; factor += 4) {
      const x = splat(factor);
      finishAt(kind, at, at + state, rate, eps, scale, f32x4.mul(x, b0));
      finishAt(kind, at + 16, at + 16 + state, rate, eps, scale, f32x4.mul(x, b1));
      finishAt(kind, at + 32, at + 32 + state, rate, eps, scale, f32x4.mul(x, b2));
      finishAt(kind, at + 48, at + 48 + state, rate, eps, scale, f32x4.mul(x, b3));
      finishAt(kind, at + 64, at + 64 + state, rate, eps, scale, f32x4.mul(x, b4));
      finishAt(kind, at + 80, at + 80 + state, rate, eps, scale, f32x4.mul(x, b5));
      finishAt(kind, at + 96, at + 96 + state, rate, eps, scale, f32x4.mul(x, b6));
      finishAt(kind, at + 112, at + 112 + state, rate, eps, scale, f32x4.mul(x, b7));
      at += stride;
    }
  }
  if (column == stride) return;
  for (let row = first; row < last; row++) {
    rowEdge(pointers, 1, <usize>row << 2, b, stride, column, finish, slice + <usize>row * stride);
  }
}

/**
 * A slice that one node of two rows meets, or two nodes of one, as most do in small batches. The gradient of 16 columns stays in
 * registers while the rows pass by, so that little is done beside the reading and writing of the slice.
 */
@inline
function twoTerms(pointers: usize, first: u32, last: u32, b: usize, stride: usize, finish: Finish, slice: usize, kind: u32): void {
  const p = <usize>load<u32>(pointers);
  const between = <usize>load<u32>(pointers, 4) - p;
  const begin = p + (<usize>first << 2);
  const end = p + (<usize>last << 2);
  const rate = f32x4.splat(finish.rate);
  const eps = f32x4.splat(finish.eps);
  const scale = f32x4.splat(finish.scale);
  const state = finish.state - finish.target;
  let column: usize = 0;
  for (; column + 64 <= stride; column += 64) {
    const b0 = v128.load(b + column);
    const b1 = v128.load(b + column, 16);
    const b2 = v128.load(b + column, 32);
    const b3 = v128.load(b + column, 48);
    const c = b + stride + column;
    const c0 = v128.load(c);
    const c1 = v128.load(c, 16);
    const c2 = v128.load(c, 32);
    const c3 = v128.load(c, 48);
    let at = finish.target + slice + <usize>first * stride + column;
    for (let factor = begin; factor < end; factor += 4) {
      const x = splat(factor);
      const y = splat(factor + between);
      finishAt(kind, at, at + state, rate, eps, scale, madd(y, c0, f32x4.mul(x, b0)));
      finishAt(kind, at + 16, at + 16 + state, rate, eps, scale, madd(y, c1, f32x4.mul(x, b1)));
      finishAt(kind, at + 32, at + 32 + state, rate, eps, scale, madd(y, c2, f32x4.mul(x, b2)));
      finishAt(kind, at + 48, at + 48 + state, rate, eps, scale, madd(y, c3, f32x4.mul(x, b3)));
      at += stride;
    }
  }
  if (column == stride) return;
  for (let row = first; row < last; row++) {
    rowEdge(pointers, 2, <usize>row << 2, b, stride, column, finish, slice + <usize>row * stride);
  }
}

/** Two rows of 4 terms, whose factors stay in registers: the slice of two nodes. */
@inline
function fourTerms(pointers: usize, row: usize, b: usize, stride: usize, bytes: usize, finish: Finish, offset: usize, kind: u32): void {
  const p0 = <usize>load<u32>(pointers) + row;
  const p1 = <usize>load<u32>(pointers, 4) + row;
  const p2 = <usize>load<u32>(pointers, 8) + row;
  const p3 = <usize>load<u32>(pointers, 12) + row;
  const x0 = splat(p0);
  const y0 = splat(p0 + 4);
  const x1 = splat(p1);
  const y1 = splat(p1 + 4);
  const x2 = splat(p2);
  const y2 = splat(p2 + 4);
  const x3 = splat(p3);
  const y3 = splat(p3 + 4);
  const rate = f32x4.splat(finish.rate);
  const eps = f32x4.splat(finish.eps);
  const scale = f32x4.splat(finish.scale);
  let state = finish.state + offset;
  let at = finish.target + offset;
  const end = at + bytes;
  while (at < end) {
    const b0 = v128.load(b);
    const b1 = v128.load(b + stride);
    const b2 = v128.load(b + (stride << 1));
    const b3 = v128.load(b + 3 * stride);
    const x = madd(x3, b3, madd(x2, b2, madd(x1, b1, f32x4.mul(x0, b0))));
    const y = madd(y3, b3, madd(y2, b2, madd(y1, b1, f32x4.mul(y0, b0))));
    finishAt(kind, at, state, rate, eps, scale, x);
    finishAt(kind, at + stride, state + stride, rate, eps, scale, y);
    at += 16;
    state += 16;
    b += 16;
  }
}

/** One row from a byte offset of its columns on. */
function rowEdge(pointers: usize, count: u32, row: usize, b: usize, stride: usize, column: usize, finish: Finish, offset: usize): void {
  for (; column + 16 <= stride; column += 16) {
    finish4(finish, offset + column, outer1x4(pointers, count, row, b + column, stride));
  }
  for (; column < stride; column += 4) finish1(finish, offset + column, outer1x1(pointers, count, row, b + column, stride));
}

@inline
function outer2x16(pointers: usize, count: u32, row: usize, b: usize, stride: usize, finish: Finish, offset: usize, kind: u32): void {
  let c00 = f32x4.splat(0);
  let c01 = c00;
  let c02 = c00;
  let c03 = c00;
  let c10 = c00;
  let c11 = c00;
  let c12 = c00;
  let c13 = c00;
  const end = pointers + (<usize>count << 2);
  while (pointers < end) {
    const a = <usize>load<u32>(pointers) + row;
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    const b2 = v128.load(b, 32);
    const b3 = v128.load(b, 48);
    const x = v128.load32_splat(a);
    c00 = madd(x, b0, c00);
    c01 = madd(x, b1, c01);
    c02 = madd(x, b2, c02);
    c03 = madd(x, b3, c03);
    const y = v128.load32_splat(a, 4);
    c10 = madd(y, b0, c10);
    c11 = madd(y, b1, c11);
    c12 = madd(y, b2, c12);
    c13 = madd(y, b3, c13);
    pointers += 4;
    b += stride;
  }
  const rate = f32x4.splat(finish.rate);
  const eps = f32x4.splat(finish.eps);
  const scale = f32x4.splat(finish.scale);
  const at = finish.target + offset;
  const state = finish.state + offset;
  finishAt(kind, at, state, rate, eps, scale, c00);
  finishAt(kind, at + 16, state + 16, rate, eps, scale, c01);
  finishAt(kind, at + 32, state + 32, rate, eps, scale, c02);
  finishAt(kind, at + 48, state + 48, rate, eps, scale, c03);
  finishAt(kind, at + stride, state + stride, rate, eps, scale, c10);
  finishAt(kind, at + stride + 16, state + stride + 16, rate, eps, scale, c11);
  finishAt(kind, at + stride + 32, state + stride + 32, rate, eps, scale, c12);
  finishAt(kind, at + stride + 48, state + stride + 48, rate, eps, scale, c13);
}

function outer1x4(pointers: usize, count: u32, row: usize, b: usize, stride: usize): v128 {
  let sum = f32x4.splat(0);
  for (let i: u32 = 0; i < count; i++) {
    sum = madd(splat(<usize>load<u32>(pointers + (<usize>i << 2)) + row), v128.load(b), sum);
    b += stride;
  }
  return sum;
}

function outer1x1(pointers: usize, count: u32, row: usize, b: usize, stride: usize): f32 {
  let sum: f32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    sum += load<f32>(<usize>load<u32>(pointers + (<usize>i << 2)) + row) * load<f32>(b);
    b += stride;
  }
  return sum;
}
