/** `multiplyAdd` and the copies between a matrix and its blocks of columns. */
@unmanaged
class ProductArgs {
  a: usize; // [count]
  b: usize; // [count]
  addend: usize; // [count], or 0
  out: usize; // [count]
  count: i32;
}

/** Elements of a unit of `multiplyAdd`. */
const BLOCK: i32 = 16384;

/** `out = a ⊙ b`, plus the addend, on the units [begin, end). Plain arithmetic in both builds: the cut into vectors does not show. */
export function multiplyAdd(record: usize, begin: i32, end: i32): void {
  const args = changetype<ProductArgs>(record);
  let at = <usize>begin * 4 * BLOCK;
  const stop = <usize>min(end * BLOCK, args.count) * 4;
  for (; at + 16 <= stop; at += 16) {
    let x = f32x4.mul(v128.load(args.a + at), v128.load(args.b + at));
    if (args.addend != 0) x = f32x4.add(x, v128.load(args.addend + at));
    v128.store(args.out + at, x);
  }
  for (; at < stop; at += 4) {
    let x = load<f32>(args.a + at) * load<f32>(args.b + at);
    if (args.addend != 0) x += load<f32>(args.addend + at);
    store<f32>(args.out + at, x);
  }
}

@unmanaged
class ColumnBlocks {
  blocks: usize; // table of `count` addresses of [rows, width of the block]
  widths: usize; // table of the widths in bytes
  matrix: usize; // [rows, sum of the widths]
  count: i32;
  rowBytes: i32;
}

/** Copies blocks of columns into rows [begin, end) of the matrix. */
export function joinColumns(record: usize, begin: i32, end: i32): void {
  copyColumns(changetype<ColumnBlocks>(record), begin, end, true);
}

/** Copies rows [begin, end) of the matrix into blocks of columns. */
export function splitColumns(record: usize, begin: i32, end: i32): void {
  copyColumns(changetype<ColumnBlocks>(record), begin, end, false);
}

// @ts-ignore: decorator
@inline
function copyColumns(args: ColumnBlocks, begin: i32, end: i32, join: bool): void {
  for (let row = begin; row < end; row++) {
    let place = args.matrix + <usize>row * args.rowBytes;
    for (let i = 0; i < args.count; i++) {
      const bytes = load<usize>(args.widths + <usize>i * 4);
      const block = load<usize>(args.blocks + <usize>i * 4) + <usize>row * bytes;
      const to = join ? place : block;
      const from = join ? block : place;
      let at: usize = 0;
      for (; at + 16 <= bytes; at += 16) v128.store(to + at, v128.load(from + at));
      for (; at < bytes; at += 4) store<f32>(to + at, load<f32>(from + at));
      place += bytes;
    }
  }
}
