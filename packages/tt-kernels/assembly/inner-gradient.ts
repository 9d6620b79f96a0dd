// Gradients of the inner cores: sums over all nodes that multiply by a slice, in the order of the nodes.
import { ADAGRAD, Finish, finish1, finish4, finish4As, SGD, sliceOffset, STORE } from "./finish";
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
  // Row by row, so that the slice streams through the caches in the order of its bytes: most of a batch's slices are met
  // by a few nodes only, and their bytes are what takes the time.
  let row = first;
  for (; row + 2 <= last; row += 2) {
    const offset = slice + <usize>row * stride;
    let column: usize = 0;
    for (; column + 64 <= stride; column += 64) {
      // The kind is a constant in each, which leaves the innermost code without a branch.
      if (finish.kind == STORE) outer2x16(pointers, count, <usize>row << 2, gradients + column, stride, finish, offset + column, STORE);
      else if (finish.kind == SGD) outer2x16(pointers, count, <usize>row << 2, gradients + column, stride, finish, offset + column, SGD);
      else outer2x16(pointers, count, <usize>row << 2, gradients + column, stride, finish, offset + column, ADAGRAD);
    }
    rowEdge(pointers, count, <usize>row << 2, gradients, stride, column, finish, offset);
    rowEdge(pointers, count, <usize>(row + 1) << 2, gradients, stride, column, finish, offset + stride);
  }
  if (row < last) rowEdge(pointers, count, <usize>row << 2, gradients, stride, 0, finish, slice + <usize>row * stride);
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
  finish4As(kind, finish, offset, c00);
  finish4As(kind, finish, offset + 16, c01);
  finish4As(kind, finish, offset + 32, c02);
  finish4As(kind, finish, offset + 48, c03);
  finish4As(kind, finish, offset + stride, c10);
  finish4As(kind, finish, offset + stride + 16, c11);
  finish4As(kind, finish, offset + stride + 32, c12);
  finish4As(kind, finish, offset + stride + 48, c13);
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
