import { PANEL, PANEL_ROW, TILE_ROWS, tile1, tile2, tile3, tile4, tile5, tile6 } from "./gemm-tile";
import { partStart, rectify } from "./simd";

/** `product`: out = a·op(b) + bias, through ReLU if asked. Units are row groups × column groups, these within those. */
@unmanaged
class ProductArgs {
  a: usize; // [m, k], rows of `aStride` bytes
  aStride: usize;
  packed: usize; // the right operand and the bias: see gemm-pack.ts
  out: usize; // [m, n]
  last: usize; // [m, 8]: the last panel's columns, if it has fewer than 8
  m: i32;
  n: i32;
  k: i32;
  relu: i32;
  rowGroups: i32;
  columnGroups: i32;
}

/** Rows of a panel that are used at a time: 16 KiB, which leave room in a first-level cache for six rows of `a`. */
const BLOCK_K: i32 = 512;

/** Computes the units [begin, end). */
export function product(record: usize, begin: i32, end: i32): void {
  const args = changetype<ProductArgs>(record);
  const panels = (args.n + PANEL - 1) / PANEL;
  for (let unit = begin; unit < end; unit++) {
    const rowGroup = unit / args.columnGroups;
    const columnGroup = unit % args.columnGroups;
    const firstRow = partStart(args.m, args.rowGroups, rowGroup);
    const rows = partStart(args.m, args.rowGroups, rowGroup + 1) - firstRow;
    const lastPanel = partStart(panels, args.columnGroups, columnGroup + 1);
    for (let panel = partStart(panels, args.columnGroups, columnGroup); panel < lastPanel; panel++) {
      multiplyPanel(args, firstRow, rows, panel);
    }
  }
}

function multiplyPanel(args: ProductArgs, firstRow: i32, rows: i32, panel: i32): void {
  const k = args.k;
  const tiles = (rows + TILE_ROWS - 1) / TILE_ROWS;
  const base = args.packed + <usize>panel * (<usize>k + 1) * PANEL_ROW;
  const columns = args.n - PANEL * panel;
  const narrow = columns < PANEL;
  const outStride = narrow ? PANEL_ROW : <usize>args.n * 4;
  const out0 = (narrow ? args.last : args.out + <usize>panel * PANEL_ROW) + <usize>firstRow * outStride;
  const a0 = args.a + <usize>firstRow * args.aStride;
  let p = 0;
  do {
    const upTo = min(p + BLOCK_K, k);
    const b = base + (<usize>p + 1) * PANEL_ROW;
    const end = base + (<usize>upTo + 1) * PANEL_ROW;
    let row = 0;
    for (let t = 0; t < tiles; t++) {
      const next = partStart(rows, tiles, t + 1);
      const out = out0 + <usize>row * outStride;
      const a = a0 + <usize>row * args.aStride + <usize>p * 4;
      const start = p == 0 ? base : out;
      const startStride: usize = p == 0 ? 0 : outStride;
      runTile(next - row, a, args.aStride, b, end, start, startStride, out, outStride);
      row = next;
    }
    p = upTo;
  } while (p < k);
  if (args.relu != 0) rectifyPanel(out0, outStride, rows);
  if (narrow) copyNarrow(args, firstRow, rows, panel, columns);
}

function rectifyPanel(out: usize, outStride: usize, rows: i32): void {
  for (let row = 0; row < rows; row++) {
    v128.store(out, rectify(v128.load(out)));
    v128.store(out, rectify(v128.load(out, 16)), 16);
    out += outStride;
  }
}

/** Copies the columns that exist from `last` to the result. */
function copyNarrow(args: ProductArgs, firstRow: i32, rows: i32, panel: i32, columns: i32): void {
  let from = args.last + <usize>firstRow * PANEL_ROW;
  let to = args.out + <usize>firstRow * 4 * args.n + <usize>panel * PANEL_ROW;
  for (let row = 0; row < rows; row++) {
    for (let j: usize = 0; j < <usize>columns * 4; j += 4) store<f32>(to + j, load<f32>(from + j));
    from += PANEL_ROW;
    to += <usize>args.n * 4;
  }
}

function runTile(
  rows: i32,
  a: usize,
  aStride: usize,
  b: usize,
  end: usize,
  start: usize,
  startStride: usize,
  out: usize,
  outStride: usize,
): void {
  switch (rows) {
    case 1:
      return tile1(a, aStride, b, end, start, startStride, out, outStride);
    case 2:
      return tile2(a, aStride, b, end, start, startStride, out, outStride);
    case 3:
      return tile3(a, aStride, b, end, start, startStride, out, outStride);
    case 4:
      return tile4(a, aStride, b, end, start, startStride, out, outStride);
    case 5:
      return tile5(a, aStride, b, end, start, startStride, out, outStride);
    default:
      return tile6(a, aStride, b, end, start, startStride, out, outStride);
  }
}
