import { PANEL, PANEL_ROW } from "./gemm-tile";
import { transpose4 } from "./simd";

/**
 * Packing for `product`, whose right operand comes as panels of eight columns:
 *
 *     packed: ceil(n / 8) panels of (k + 1) rows of 8 floats
 *             row 0 is the bias, or zeros: what the sums start from; row 1 + p is op(b)[p, 8·panel …]
 *
 * Columns behind the last one hold anything: their sums are thrown away.
 */
@unmanaged
class PackArgs {
  source: usize; // op(b) is [k, n]; stored so for packRows, [n, k] for packColumns
  bias: usize; // [n], or 0
  packed: usize;
  n: i32;
  k: i32;
}

/** `transpose` of a left operand that is stored [k, m]. */
@unmanaged
class TransposeArgs {
  source: usize; // [rows, columns]
  target: usize; // [columns, rows]
  targetStride: usize; // bytes from row to row of the target
  rows: i32;
  columns: i32;
}

/** Columns that `transpose` takes at a time: a cache line. */
const TRANSPOSE_UNIT: i32 = 16;

function packBias(bias: usize, panel: usize, column: i32, columns: i32): void {
  for (let j = 0; j < PANEL; j++) {
    store<f32>(panel + 4 * j, bias != 0 && j < columns ? load<f32>(bias + (<usize>column + j) * 4) : 0);
  }
}

// @ts-ignore: decorator
@inline
function panelAt(packed: usize, k: i32, panel: i32): usize {
  return packed + <usize>panel * (<usize>k + 1) * PANEL_ROW;
}

/** Packs panels [begin, end) of an operand stored [k, n]. */
export function packRows(record: usize, begin: i32, end: i32): void {
  const args = changetype<PackArgs>(record);
  const n = args.n;
  const k = args.k;
  const stride = <usize>n * 4;
  const panelBytes = (<usize>k + 1) * PANEL_ROW;
  const first = panelAt(args.packed, k, begin);
  for (let i = begin; i < end; i++) packBias(args.bias, panelAt(args.packed, k, i), PANEL * i, n - PANEL * i);
  // A row of all panels at a time: neighbours share cache lines of the source.
  const whole = min(end, n / PANEL);
  for (let p = 0; p < k; p++) {
    let from = args.source + <usize>p * stride + <usize>begin * PANEL_ROW;
    let to = first + (<usize>p + 1) * PANEL_ROW;
    for (let i = begin; i < whole; i++) {
      v128.store(to, v128.load(from));
      v128.store(to, v128.load(from, 16), 16);
      from += PANEL_ROW;
      to += panelBytes;
    }
    if (whole < end) for (let j: usize = 0; j < <usize>(n % PANEL) * 4; j += 4) store<f32>(to + j, load<f32>(from + j));
  }
}

/** Packs panels [begin, end) of an operand stored [n, k]. */
export function packColumns(record: usize, begin: i32, end: i32): void {
  const args = changetype<PackArgs>(record);
  const n = args.n;
  const k = args.k;
  const stride = <usize>k * 4;
  for (let i = begin; i < end; i++) {
    const panel = panelAt(args.packed, k, i);
    packBias(args.bias, panel, PANEL * i, n - PANEL * i);
    for (let half = 0; half < 2; half++) {
      // Behind the last column its values are taken again.
      const column = PANEL * i + 4 * half;
      let s0 = args.source + <usize>min(column, n - 1) * stride;
      let s1 = args.source + <usize>min(column + 1, n - 1) * stride;
      let s2 = args.source + <usize>min(column + 2, n - 1) * stride;
      let s3 = args.source + <usize>min(column + 3, n - 1) * stride;
      let to = panel + PANEL_ROW + 16 * half;
      let p = 0;
      for (; p + 4 <= k; p += 4) {
        transpose4(v128.load(s0), v128.load(s1), v128.load(s2), v128.load(s3), to, PANEL_ROW);
        s0 += 16;
        s1 += 16;
        s2 += 16;
        s3 += 16;
        to += 4 * PANEL_ROW;
      }
      for (; p < k; p++) {
        store<f32>(to, load<f32>(s0));
        store<f32>(to, load<f32>(s1), 4);
        store<f32>(to, load<f32>(s2), 8);
        store<f32>(to, load<f32>(s3), 12);
        s0 += 4;
        s1 += 4;
        s2 += 4;
        s3 += 4;
        to += PANEL_ROW;
      }
    }
  }
}

/** Transposes the columns of units [begin, end), 16 a unit. */
export function transpose(record: usize, begin: i32, end: i32): void {
  const args = changetype<TransposeArgs>(record);
  const stride = <usize>args.columns * 4;
  const toStride = args.targetStride;
  const last = min(end * TRANSPOSE_UNIT, args.columns);
  for (let unit = begin; unit < end; unit++) {
    const from = unit * TRANSPOSE_UNIT;
    const upTo = min(from + TRANSPOSE_UNIT, last);
    let p = 0;
    for (; p + 4 <= args.rows; p += 4) {
      const row = args.source + <usize>p * stride;
      const target = args.target + <usize>p * 4;
      let j = from;
      for (; j + 4 <= upTo; j += 4) {
        const s = row + <usize>j * 4;
        const to = target + <usize>j * toStride;
        transpose4(v128.load(s), v128.load(s + stride), v128.load(s + 2 * stride), v128.load(s + 3 * stride), to, toStride);
      }
      for (; j < upTo; j++) transposePart(row, target, stride, toStride, j, 4);
    }
    for (let j = from; j < upTo; j++) {
      transposePart(args.source + <usize>p * stride, args.target + <usize>p * 4, stride, toStride, j, args.rows - p);
    }
  }
}

/** Column `j` of `rows` rows. */
function transposePart(row: usize, target: usize, stride: usize, toStride: usize, j: i32, rows: i32): void {
  for (let p = 0; p < rows; p++) {
    store<f32>(target + <usize>j * toStride + 4 * p, load<f32>(row + <usize>p * stride + <usize>j * 4));
  }
}
