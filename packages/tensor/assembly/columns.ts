/** `biasReluBackward`: column sums of a gradient, and before that ReLU's derivative in place. */
@unmanaged
class ColumnArgs {
  gradient: usize; // [rows, columns]
  activation: usize; // [rows, columns], or 0
  sums: usize; // [columns]
  rows: i32;
  columns: i32;
}

/** Columns of a unit: a cache line. */
const UNIT: i32 = 16;

/** Zeroes the gradient where the activation is not positive, and sums columns, for the units [begin, end) of 16 columns. */
export function biasReluBackward(record: usize, begin: i32, end: i32): void {
  const args = changetype<ColumnArgs>(record);
  const last = min(end * UNIT, args.columns);
  let column = begin * UNIT;
  for (; column + UNIT <= last; column += UNIT) sumWhole(args, column);
  for (; column < last; column++) sumOne(args, column);
}

// @ts-ignore: decorator
@inline
function masked(gradient: usize, activation: usize, offset: usize): v128 {
  const x = v128.and(v128.load(gradient + offset), f32x4.gt(v128.load(activation + offset), f32x4.splat(0)));
  v128.store(gradient + offset, x);
  return x;
}

function sumWhole(args: ColumnArgs, column: i32): void {
  const stride = <usize>args.columns * 4;
  let g = args.gradient + <usize>column * 4;
  let s0 = f32x4.splat(0);
  let s1 = f32x4.splat(0);
  let s2 = f32x4.splat(0);
  let s3 = f32x4.splat(0);
  if (args.activation == 0) {
    for (let i = 0; i < args.rows; i++, g += stride) {
      s0 = f32x4.add(s0, v128.load(g));
      s1 = f32x4.add(s1, v128.load(g, 16));
      s2 = f32x4.add(s2, v128.load(g, 32));
      s3 = f32x4.add(s3, v128.load(g, 48));
    }
  } else {
    let y = args.activation + <usize>column * 4;
    for (let i = 0; i < args.rows; i++, g += stride, y += stride) {
      s0 = f32x4.add(s0, masked(g, y, 0));
      s1 = f32x4.add(s1, masked(g, y, 16));
      s2 = f32x4.add(s2, masked(g, y, 32));
      s3 = f32x4.add(s3, masked(g, y, 48));
    }
  }
  const out = args.sums + <usize>column * 4;
  v128.store(out, s0);
  v128.store(out, s1, 16);
  v128.store(out, s2, 32);
  v128.store(out, s3, 48);
}

function sumOne(args: ColumnArgs, column: i32): void {
  const stride = <usize>args.columns * 4;
  let g = args.gradient + <usize>column * 4;
  let y = args.activation + <usize>column * 4;
  let sum: f32 = 0;
  for (let i = 0; i < args.rows; i++, g += stride, y += stride) {
    if (args.activation != 0 && !(load<f32>(y) > 0)) store<f32>(g, 0);
    sum += load<f32>(g);
  }
  store<f32>(args.sums + <usize>column * 4, sum);
}
