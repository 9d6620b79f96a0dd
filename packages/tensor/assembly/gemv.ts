import { madd, rectify, sumLanes } from "./simd";

/** A matrix times a vector, for products with one row or one column: nothing is packed, and the matrix is read once. */
@unmanaged
class GemvArgs {
  matrix: usize; // [rows, columns]
  vector: usize; // [columns] for rowDots, [rows] for columnCombinations
  bias: usize; // first element, or 0
  biasStride: usize; // bytes from element to element of the bias: 4, or 0 where it has one
  out: usize; // [rows] for rowDots, [columns] for columnCombinations
  rows: i32;
  columns: i32;
  relu: i32;
}

/** Rows of a unit of rowDots. */
const DOT_ROWS: i32 = 16;

/** Columns of a unit of columnCombinations: a cache line. */
const COMBINATION_COLUMNS: i32 = 16;

function finish(args: GemvArgs, i: i32, sum: f32): void {
  if (args.bias != 0) sum += load<f32>(args.bias + <usize>i * args.biasStride);
  if (args.relu != 0 && !(sum > 0) && sum == sum) sum = 0;
  store<f32>(args.out + <usize>i * 4, sum);
}

/** `out = matrix · vector` for the units [begin, end) of 16 rows. */
export function rowDots(record: usize, begin: i32, end: i32): void {
  const args = changetype<GemvArgs>(record);
  const columns = args.columns;
  const last = min(end * DOT_ROWS, args.rows);
  for (let row = begin * DOT_ROWS; row < last; row++) {
    let a = args.matrix + <usize>row * 4 * columns;
    let b = args.vector;
    const stop = b + <usize>columns * 4;
    let s0 = f32x4.splat(0);
    let s1 = f32x4.splat(0);
    let s2 = f32x4.splat(0);
    let s3 = f32x4.splat(0);
    for (; b + 64 <= stop; a += 64, b += 64) {
      s0 = madd(v128.load(a), v128.load(b), s0);
      s1 = madd(v128.load(a, 16), v128.load(b, 16), s1);
      s2 = madd(v128.load(a, 32), v128.load(b, 32), s2);
      s3 = madd(v128.load(a, 48), v128.load(b, 48), s3);
    }
    for (; b + 16 <= stop; a += 16, b += 16) s0 = madd(v128.load(a), v128.load(b), s0);
    let sum = sumLanes(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
    for (; b < stop; a += 4, b += 4) sum += load<f32>(a) * load<f32>(b);
    finish(args, row, sum);
  }
}

/** `out = matrixᵀ · vector` for the units [begin, end) of 16 columns. */
export function columnCombinations(record: usize, begin: i32, end: i32): void {
  const args = changetype<GemvArgs>(record);
  const stride = <usize>args.columns * 4;
  const stop = args.vector + <usize>args.rows * 4;
  for (let unit = begin; unit < end; unit++) {
    const first = unit * COMBINATION_COLUMNS;
    const from = args.matrix + <usize>first * 4;
    if (first + COMBINATION_COLUMNS <= args.columns) {
      combineWhole(args, from, stride, stop, first);
    } else {
      for (let j = first; j < args.columns; j++) {
        let sum: f32 = 0;
        let at = args.matrix + <usize>j * 4;
        for (let b = args.vector; b < stop; b += 4, at += stride) sum += load<f32>(at) * load<f32>(b);
        finish(args, j, sum);
      }
    }
  }
}

function combineWhole(args: GemvArgs, from: usize, stride: usize, stop: usize, first: i32): void {
  let s0 = f32x4.splat(0);
  let s1 = f32x4.splat(0);
  let s2 = f32x4.splat(0);
  let s3 = f32x4.splat(0);
  for (let b = args.vector; b < stop; b += 4, from += stride) {
    const x = v128.load_splat<f32>(b);
    s0 = madd(x, v128.load(from), s0);
    s1 = madd(x, v128.load(from, 16), s1);
    s2 = madd(x, v128.load(from, 32), s2);
    s3 = madd(x, v128.load(from, 48), s3);
  }
  const out = args.out + <usize>first * 4;
  storeSums(args, out, first, s0);
  storeSums(args, out + 16, first + 4, s1);
  storeSums(args, out + 32, first + 8, s2);
  storeSums(args, out + 48, first + 12, s3);
}

function storeSums(args: GemvArgs, out: usize, column: i32, sums: v128): void {
  if (args.bias != 0) {
    const at = args.bias + <usize>column * args.biasStride;
    sums = f32x4.add(sums, args.biasStride == 0 ? v128.load_splat<f32>(at) : v128.load(at));
  }
  v128.store(out, args.relu != 0 ? rectify(sums) : sums);
}
