// Forward along the train: products of prefixes, then the rows themselves.
import { multiplyTransposed } from "./dots";
import { addOuter } from "./outer";
import { Level } from "./plan";
import { multiplyRows } from "./products";
import { multiplyQuad } from "./quad";
import { multiplyWide } from "./wide";

/** Nodes whose products are computed before their rows are: few enough to stay in the first cache. */
const BLOCK: u32 = 16;

/** Nodes of a bucket for which its slice is streamed, if it has more bytes: a core of smaller slices stays in the second cache. */
const FEW: u32 = 2;
const SMALL_SLICE: usize = 2048;

/** The step from the products of one level to those of the next inner one. */
@unmanaged
export class Extend {
  level: Level;
  /** The level above, and its products; at level 0 those are the slices of the first core, found by digit. */
  parentLevel: Level;
  parentProducts: usize;
  parentBytes: usize;
  parentIsFirst: u32;
  /** The core of this level: slices [rank, columns]. */
  core: usize;
  /** Rows that a product has above: q_0 · … · q_(k−1). */
  left: u32;
  rank: u32;
  columns: u32;
  /** Pointers to the rows of the parents' products [count · left]. */
  pointers: usize;
  /** Products [count, left · columns]. */
  products: usize;
}

/** From the products of level d − 2 to the rows. */
@unmanaged
export class Rows {
  /** The last step before, or null for d = 2. */
  extend: usize;
  level: Level;
  rowDigits: usize;
  /** The last core: as it is if rank and columns of its slices are multiples of four, else transposed. */
  slices: usize;
  /** Rows of a product. */
  left: u32;
  rank: u32;
  columns: u32;
  /** The rows [uniqueRows, D]. */
  rows: usize;
  /** For d = 2: the first core. */
  firstCore: usize;
  /** Units that share the nodes among them and keep only a block of products each; 0 keeps all, and a unit is a node. */
  lanes: u32;
}

/** Extends nodes [begin, end). */
export function extendNodes(args: usize, begin: i32, end: i32): void {
  const extend = changetype<Extend>(args);
  const size = <usize>(extend.left * extend.columns) << 2;
  extendRange(extend, begin, end, extend.products + <usize>begin * size, extend.pointers + ((<usize>begin * extend.left) << 2));
}

/** The rows of nodes [begin, end), or of the nodes of lanes [begin, end). */
export function computeRows(args: usize, begin: i32, end: i32): void {
  const rows = changetype<Rows>(args);
  if (rows.lanes == 0) {
    rowsOfNodes(rows, begin, end, 0, 0);
    return;
  }
  const count = rows.level.count;
  const lanes = rows.lanes;
  const extend = changetype<Extend>(rows.extend);
  const block = <usize>BLOCK * ((extend.left * extend.columns) << 2);
  const pointerBlock = <usize>BLOCK * (extend.left << 2);
  for (let lane = <u32>begin; lane < <u32>end; lane++) {
    const first = <u32>((<u64>count * lane) / lanes);
    const last = <u32>((<u64>count * (lane + 1)) / lanes);
    rowsOfNodes(rows, first, last, extend.products + block * lane, extend.pointers + pointerBlock * lane);
  }
}

/** `window` holds the products of one block of nodes; 0 stands for an array of all. */
function rowsOfNodes(rows: Rows, begin: u32, end: u32, window: usize, windowPointers: usize): void {
  const bytes = <usize>(rows.left * rows.rank) << 2;
  if (rows.extend == 0) {
    for (let node = begin; node < end; node++) {
      const digit = <usize>load<u32>(rows.level.bucketDigits + (<usize>node << 2));
      rowsOfRange(rows, node, node + 1, rows.firstCore + digit * bytes, bytes);
    }
    return;
  }
  const extend = changetype<Extend>(rows.extend);
  const pointerBytes = <usize>extend.left << 2;
  for (let first = begin; first < end; first += BLOCK) {
    const last = min(first + BLOCK, end);
    const products = window != 0 ? window : extend.products + <usize>first * bytes;
    const pointers = window != 0 ? windowPointers : extend.pointers + <usize>first * pointerBytes;
    extendRange(extend, first, last, products, pointers);
    rowsOfRange(rows, first, last, products, bytes);
  }
}

/** The rows of nodes [begin, end), whose products follow each other. */
function rowsOfRange(rows: Rows, begin: u32, end: u32, product: usize, productBytes: usize): void {
  // Read once: a store might change the record, for all that the compiler knows.
  const starts = rows.level.childStarts;
  const digits = rows.rowDigits;
  const slices = rows.slices;
  const columns = rows.columns;
  const rank = rows.rank;
  const left = rows.left;
  const sliceBytes = <usize>(rank * columns) << 2;
  const rowBytes = <usize>(left * columns) << 2;
  let u = load<u32>(starts + (<usize>begin << 2));
  let out = rows.rows + <usize>u * rowBytes;
  for (let node = begin; node < end; node++) {
    for (const stop = load<u32>(starts + (<usize>node << 2), 4); u < stop; u++) {
      const slice = slices + <usize>load<u32>(digits + (<usize>u << 2)) * sliceBytes;
      if (columns == 4 && (rank & 3) == 0) multiplyQuad(product, left, rank, slice, out);
      else if (((columns | rank) & 3) == 0) multiplyWide(product, left, rank, slice, columns, out);
      else multiplyTransposed(product, left, rank, slice, columns, out);
      out += rowBytes;
    }
    product += productBytes;
  }
}

function extendRange(extend: Extend, begin: u32, end: u32, products: usize, pointers: usize): void {
  const left = extend.left;
  const rank = extend.rank;
  const columns = extend.columns;
  writePointers(extend, begin, end, pointers);
  const level = extend.level;
  const sliceBytes = <usize>(rank * columns) << 2;
  const productBytes = <usize>(left * columns) << 2;
  let bucket = bucketOf(level, begin);
  for (let node = begin; node < end; ) {
    const stop = min(load<u32>(level.bucketStarts + (<usize>bucket << 2), 4), end);
    const slice = extend.core + <usize>load<u32>(level.bucketDigits + (<usize>bucket << 2)) * sliceBytes;
    const done = <usize>(node - begin);
    const rows = pointers + ((done * left) << 2);
    const out = products + done * productBytes;
    if (stop - node <= FEW && sliceBytes > SMALL_SLICE) streamSlice(rows, stop - node, left, rank, slice, columns, out);
    else multiplyRows(rows, (stop - node) * left, rank, slice, columns, out);
    node = stop;
    bucket++;
  }
}

/** The products of a few nodes, in the order of the slice's bytes: with little to compute, its way from memory is what counts. */
function streamSlice(pointers: usize, nodes: u32, left: u32, rank: u32, slice: usize, columns: u32, out: usize): void {
  for (let node: u32 = 0; node < nodes; node++) {
    addOuter(out, left, columns, load<u32>(pointers), <usize>rank << 2, 4, rank, slice, true);
    pointers += <usize>left << 2;
    out += <usize>(left * columns) << 2;
  }
}

function writePointers(extend: Extend, begin: u32, end: u32, pointers: usize): void {
  const left = extend.left;
  const rowBytes = extend.rank << 2;
  const digits = extend.parentLevel.bucketDigits;
  for (let node = begin; node < end; node++) {
    let parent = load<u32>(extend.level.parents + (<usize>node << 2));
    if (extend.parentIsFirst) parent = load<u32>(digits + (<usize>parent << 2));
    let at = extend.parentProducts + <usize>parent * extend.parentBytes;
    for (let row: u32 = 0; row < left; row++) {
      store<u32>(pointers, <u32>at);
      pointers += 4;
      at += rowBytes;
    }
  }
}

/** The bucket of a node. */
export function bucketOf(level: Level, node: u32): u32 {
  let low: u32 = 0;
  let high = level.buckets;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (load<u32>(level.bucketStarts + (<usize>middle << 2)) <= node) low = middle;
    else high = middle;
  }
  return low;
}
