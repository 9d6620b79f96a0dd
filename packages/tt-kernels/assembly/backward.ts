// Backward along the train: gradients of rows become gradients of products, level by level.
import { multiplyTransposed } from "./dots";
import { bucketOf } from "./forward";
import { addOuter } from "./outer";
import { Level } from "./plan";
import { Gather, gatherRows } from "./gather";
import { addQuadShare } from "./quad";
import { addWideShare } from "./wide";

/** From the outputs' gradient to the gradients of the products of level d − 2. */
@unmanaged
export class RowsBackward {
  gather: Gather;
  level: Level;
  rowDigits: usize;
  /** The last core: as it is if rank and columns of its slices are multiples of four, else transposed. */
  slices: usize;
  /** Rows of a product. */
  left: u32;
  rank: u32;
  columns: u32;
  /** Gradients of the products [count, left · rank]. */
  gradients: usize;
  /** The step further back to the level above, or null for d = 2. */
  extend: usize;
}

/** Nodes of a block, whose gradients stay in the first cache from one loop to the next. */
const BLOCK: u32 = 64;

/**
 * Gradients of rows and products of nodes [begin, end), and what these mean for the products of the level above. Three loops a block:
 * where the gradient of a row lies is found through two or three lists, and a short loop has many rows on their way at once.
 */
export function backwardRows(args: usize, begin: i32, end: i32): void {
  const rows = changetype<RowsBackward>(args);
  const starts = rows.level.childStarts;
  for (let node = <u32>begin; node < <u32>end; node += BLOCK) {
    const stop = min(node + BLOCK, <u32>end);
    gatherRows(rows.gather, load<u32>(starts + (<usize>node << 2)), load<u32>(starts + (<usize>stop << 2)));
    productGradients(rows, node, stop);
    if (rows.extend != 0) backwardNodes(rows.extend, node, stop);
  }
}

/** Of nodes [begin, end): the sums over their rows of [left, columns] · [columns, rank]. */
function productGradients(rows: RowsBackward, begin: u32, end: u32): void {
  // Read once: a store might change the record, for all that the compiler knows.
  const starts = rows.level.childStarts;
  const digits = rows.rowDigits;
  const slices = rows.slices;
  const columns = rows.columns;
  const rank = rows.rank;
  const left = rows.left;
  const sliceBytes = <usize>(rank * columns) << 2;
  const rowBytes = <usize>(left * columns) << 2;
  const bytes = <usize>(left * rank) << 2;
  let out = rows.gradients + <usize>begin * bytes;
  let u = load<u32>(starts + (<usize>begin << 2));
  let gradient = rows.gather.rowGradients + <usize>u * rowBytes;
  for (let node = begin; node < end; node++) {
    // The first row by itself, since it finds nothing to add to, and whether a row is the first cannot be predicted.
    addShare(out, left, rank, columns, gradient, slices + <usize>load<u32>(digits + (<usize>u << 2)) * sliceBytes, true);
    gradient += rowBytes;
    u++;
    for (const stop = load<u32>(starts + (<usize>node << 2), 4); u < stop; u++) {
      addShare(out, left, rank, columns, gradient, slices + <usize>load<u32>(digits + (<usize>u << 2)) * sliceBytes, false);
      gradient += rowBytes;
    }
    out += bytes;
  }
}

@inline
function addShare(out: usize, left: u32, rank: u32, columns: u32, gradient: usize, slice: usize, fresh: bool): void {
  if (columns == 4 && (rank & 3) == 0) addQuadShare(out, left, rank, gradient, slice, fresh);
  else if (((columns | rank) & 3) == 0) addWideShare(out, left, rank, gradient, columns, slice, fresh);
  else addOuter(out, left, rank, gradient, <usize>columns << 2, 4, columns, slice, fresh);
}

/** From the gradients of one level's products to what they mean for each parent's product. */
@unmanaged
export class ExtendBackward {
  level: Level;
  core: usize;
  left: u32;
  rank: u32;
  columns: u32;
  /** Gradients of the products [count, left · columns]. */
  gradients: usize;
  /** Shares of the parents' gradients [count, left · rank]. */
  parentShares: usize;
}

/** Shares of nodes [begin, end): gradient · sliceᵀ. */
export function backwardNodes(args: usize, begin: i32, end: i32): void {
  const extend = changetype<ExtendBackward>(args);
  const level = extend.level;
  const left = extend.left;
  const rank = extend.rank;
  const columns = extend.columns;
  let bucket = bucketOf(level, begin);
  for (let node = <u32>begin; node < <u32>end; ) {
    const stop = min(load<u32>(level.bucketStarts + (<usize>bucket << 2), 4), <u32>end);
    const slice = extend.core + ((<usize>load<u32>(level.bucketDigits + (<usize>bucket << 2)) * (rank * columns)) << 2);
    const gradients = extend.gradients + ((<usize>node * (left * columns)) << 2);
    multiplyTransposed(gradients, (stop - node) * left, columns, slice, rank, extend.parentShares + ((<usize>node * (left * rank)) << 2));
    node = stop;
    bucket++;
  }
}

/** The shares of children, summed for each parent. */
@unmanaged
export class SumChildren {
  level: Level;
  shares: usize;
  /** Elements of a product. */
  size: u32;
  gradients: usize;
}

/** Gradients of the products of nodes [begin, end). */
export function sumChildren(args: usize, begin: i32, end: i32): void {
  const sum = changetype<SumChildren>(args);
  const bytes = <usize>sum.size << 2;
  for (let node = begin; node < end; node++) {
    const out = sum.gradients + <usize>node * bytes;
    const starts = sum.level.childStarts + (<usize>node << 2);
    const last = load<u32>(starts, 4);
    memory.fill(out, 0, bytes);
    for (let i = load<u32>(starts); i < last; i++) {
      addTo(out, sum.shares + <usize>load<u32>(sum.level.children + (<usize>i << 2)) * bytes, bytes);
    }
  }
}

/** out += source. */
@inline
export function addTo(out: usize, source: usize, bytes: usize): void {
  let at: usize = 0;
  for (; at + 16 <= bytes; at += 16) v128.store(out + at, f32x4.add(v128.load(out + at), v128.load(source + at)));
  for (; at < bytes; at += 4) store<f32>(out + at, load<f32>(out + at) + load<f32>(source + at));
}
