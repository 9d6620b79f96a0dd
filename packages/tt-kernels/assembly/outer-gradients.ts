// Gradients of the first and the last core. Many nodes share one of their few slices, so nodes are read in their order and
// added to sums that stay in the caches. Lanes share the nodes among them, each with sums of its own; the sums of all
// lanes are added in order at the end. The number of lanes depends on the batch alone.
import { addTo } from "./backward";
import { ADAGRAD, Finish, finish1, finish4As, finishAt, SGD, sliceOffset, STORE } from "./finish";
import { addOuter } from "./outer";
import { Level } from "./plan";
import { addQuadSum } from "./quad";
import { column0, column1, column2, column3 } from "./transpose";
import { addWideSum } from "./wide";

/** Sums of the first core's slices: units are lanes. */
@unmanaged
export class FirstSums {
  /** Level 1, whose nodes know their parents; or level 0, whose nodes are the slices, for d = 2. */
  level: Level;
  isLevel0: u32;
  /** What each node adds [count, size]. */
  shares: usize;
  /** Elements of a slice. */
  size: u32;
  /** Slices touched. */
  slices: u32;
  lanes: u32;
  /** Sums [lanes, slices, size]. */
  sums: usize;
}

export function sumFirst(args: usize, begin: i32, end: i32): void {
  const first = changetype<FirstSums>(args);
  const bytes = <usize>first.size << 2;
  const laneBytes = bytes * first.slices;
  const count = first.level.count;
  for (let lane = <u32>begin; lane < <u32>end; lane++) {
    const sums = first.sums + laneBytes * lane;
    memory.fill(sums, 0, laneBytes);
    const last = laneEnd(count, lane, first.lanes);
    for (let node = laneEnd(count, lane - 1, first.lanes); node < last; node++) {
      const slice = first.isLevel0 ? node : load<u32>(first.level.parents + (<usize>node << 2));
      addTo(sums + <usize>slice * bytes, first.shares + <usize>node * bytes, bytes);
    }
  }
}

/** The node behind the last one of a lane; of lane −1, the first node. */
@inline
function laneEnd(count: u32, lane: u32, lanes: u32): u32 {
  return <u32>((<u64>count * <u64>(lane + 1)) / <u64>lanes);
}

/** Sums of the last core's slices: units are lanes. */
@unmanaged
export class LastSums {
  /** Level d − 2. */
  level: Level;
  /** Place of each row's last digit among those touched. */
  rowSegments: usize;
  /** Products of level d − 2 [count, left · rank]; for d = 2 the first core, found through the digits of level 0. */
  products: usize;
  isFirstCore: u32;
  /** Gradients of the rows [uniqueRows, left · columns]. */
  rowGradients: usize;
  left: u32;
  rank: u32;
  columns: u32;
  /** Slices touched. */
  slices: u32;
  lanes: u32;
  /** Sums [lanes, slices, columns · rank], each transposed unless its columns are a multiple of four. */
  sums: usize;
}

export function sumLast(args: usize, begin: i32, end: i32): void {
  const last = changetype<LastSums>(args);
  const sliceBytes = <usize>(last.rank * last.columns) << 2;
  const laneBytes = sliceBytes * last.slices;
  const productBytes = <usize>(last.left * last.rank) << 2;
  const rowBytes = <usize>(last.left * last.columns) << 2;
  const level = last.level;
  const count = level.count;
  const left = last.left;
  const rank = last.rank;
  const columns = last.columns;
  for (let lane = <u32>begin; lane < <u32>end; lane++) {
    const sums = last.sums + laneBytes * lane;
    memory.fill(sums, 0, laneBytes);
    const stop = laneEnd(count, lane, last.lanes);
    for (let node = laneEnd(count, lane - 1, last.lanes); node < stop; node++) {
      const place = last.isFirstCore ? load<u32>(level.bucketDigits + (<usize>node << 2)) : node;
      const product = last.products + <usize>place * productBytes;
      const starts = level.childStarts + (<usize>node << 2);
      const end = load<u32>(starts, 4);
      for (let u = load<u32>(starts); u < end; u++) {
        const sum = sums + <usize>load<u32>(last.rowSegments + (<usize>u << 2)) * sliceBytes;
        // The factors are a column of the gradient: [left, columns]ᵀ · [left, rank].
        if (columns == 4) addQuadSum(sum, left, rank, product, last.rowGradients + <usize>u * rowBytes);
        else if ((columns & 3) == 0) addWideSum(sum, left, rank, product, last.rowGradients + <usize>u * rowBytes, columns);
        else addOuter(sum, columns, rank, last.rowGradients + <usize>u * rowBytes, 4, <usize>columns << 2, left, product, false);
      }
    }
  }
}

/** The sums of all lanes become gradients or updates: units are slices. */
@unmanaged
export class FinishSums {
  /** Digits of the slices touched. */
  digits: usize;
  /** Sums [lanes, slices, columns · rank], slices transposed; a slice of one column is a row. */
  sums: usize;
  lanes: u32;
  slices: u32;
  rank: u32;
  columns: u32;
  finish: Finish;
}

export function finishSums(args: usize, begin: i32, end: i32): void {
  const sums = changetype<FinishSums>(args);
  const rank = sums.rank;
  const columns = sums.columns;
  const bytes = <usize>(rank * columns) << 2;
  for (let place = begin; place < end; place++) {
    const digit = load<u32>(sums.digits + (<usize>place << 2));
    const offset = sliceOffset(sums.finish, place, digit, bytes);
    const from = sums.sums + <usize>place * bytes;
    // The kind is a constant in each, as is a single lane, the rule in small batches.
    const kind = sums.finish.kind;
    const single = sums.lanes == 1;
    if (kind == SGD && single) finishPlace(sums, from, offset, bytes, SGD, true);
    else if (kind == SGD) finishPlace(sums, from, offset, bytes, SGD, false);
    else if (kind == STORE) finishPlace(sums, from, offset, bytes, STORE, false);
    else finishPlace(sums, from, offset, bytes, ADAGRAD, false);
  }
}

@inline
function finishPlace(sums: FinishSums, from: usize, offset: usize, bytes: usize, kind: u32, single: bool): void {
  if (sums.columns == 1) finishRow(sums, from, offset, bytes, kind, single);
  else finishSlice(sums, from, offset, kind, single);
}

/** Four elements, summed over the lanes. */
@inline
function total4(sums: FinishSums, at: usize, single: bool): v128 {
  let total = v128.load(at);
  if (single) return total;
  const laneBytes = <usize>(sums.rank * sums.columns * sums.slices) << 2;
  for (let lane: u32 = 1; lane < sums.lanes; lane++) total = f32x4.add(total, v128.load(at + laneBytes * lane));
  return total;
}

@inline
function total1(sums: FinishSums, at: usize): f32 {
  const laneBytes = <usize>(sums.rank * sums.columns * sums.slices) << 2;
  let total = load<f32>(at);
  for (let lane: u32 = 1; lane < sums.lanes; lane++) total += load<f32>(at + laneBytes * lane);
  return total;
}

@inline
function finishRow(sums: FinishSums, from: usize, offset: usize, bytes: usize, kind: u32, single: bool): void {
  const finish = sums.finish;
  const rate = f32x4.splat(finish.rate);
  const eps = f32x4.splat(finish.eps);
  const scale = f32x4.splat(finish.scale);
  const target = finish.target + offset;
  const state = finish.state + offset;
  let at: usize = 0;
  for (; at + 16 <= bytes; at += 16) finishAt(kind, target + at, state + at, rate, eps, scale, total4(sums, from + at, single));
  for (; at < bytes; at += 4) finish1(finish, offset + at, total1(sums, from + at));
}

/** Turns a slice back, [columns, rank] → [rank, columns], four by four. */
@inline
function finishSlice(sums: FinishSums, from: usize, offset: usize, kind: u32, single: bool): void {
  const rank = sums.rank;
  const columns = sums.columns;
  const step = <usize>rank << 2;
  const finish = sums.finish;
  for (let column: u32 = 0; column < columns; column += 4) {
    for (let row: u32 = 0; row < rank; row += 4) {
      const at = from + ((<usize>column * rank + row) << 2);
      const target = offset + ((<usize>row * columns + column) << 2);
      if (row + 4 <= rank && column + 4 <= columns) {
        const a = total4(sums, at, single);
        const b = total4(sums, at + step, single);
        const c = total4(sums, at + (step << 1), single);
        const d = total4(sums, at + 3 * step, single);
        finish4As(kind, finish, target, column0(a, b, c, d));
        finish4As(kind, finish, target + (<usize>columns << 2), column1(a, b, c, d));
        finish4As(kind, finish, target + (<usize>columns << 3), column2(a, b, c, d));
        finish4As(kind, finish, target + 3 * (<usize>columns << 2), column3(a, b, c, d));
      } else {
        finishEdge(sums, at, target, min<u32>(4, rank - row), min<u32>(4, columns - column));
      }
    }
  }
}

/** At most 4 × 4 elements at the edge of a slice. */
function finishEdge(sums: FinishSums, at: usize, target: usize, rows: u32, columns: u32): void {
  const step = <usize>sums.rank << 2;
  for (let r: u32 = 0; r < rows; r++) {
    for (let c: u32 = 0; c < columns; c++) {
      finish1(sums.finish, target + ((<usize>r * sums.columns + c) << 2), total1(sums, at + c * step + (<usize>r << 2)));
    }
  }
}
