/** `sumOfSquares`: one partial sum a block, in float64. The caller adds them in order. */
@unmanaged
class SquaresArgs {
  source: usize; // [count]
  sums: usize; // float64 [ceil(count / 16384)]
  count: i32;
}

/** Elements of a block. */
const BLOCK: i32 = 16384;

/** Sums the blocks [begin, end). */
export function sumOfSquares(record: usize, begin: i32, end: i32): void {
  const args = changetype<SquaresArgs>(record);
  for (let block = begin; block < end; block++) {
    let at = args.source + <usize>block * 4 * BLOCK;
    const stop = args.source + <usize>min((block + 1) * BLOCK, args.count) * 4;
    let s0 = f64x2.splat(0);
    let s1 = f64x2.splat(0);
    for (; at + 16 <= stop; at += 16) {
      const x = v128.load(at);
      const low = f64x2.promote_low_f32x4(x);
      const high = f64x2.promote_low_f32x4(i64x2.shuffle(x, x, 1, 1));
      s0 = f64x2.add(s0, f64x2.mul(low, low));
      s1 = f64x2.add(s1, f64x2.mul(high, high));
    }
    s0 = f64x2.add(s0, s1);
    let sum = f64x2.extract_lane(s0, 0) + f64x2.extract_lane(s0, 1);
    for (; at < stop; at += 4) {
      const x = <f64>load<f32>(at);
      sum += x * x;
    }
    store<f64>(args.sums + 8 * <usize>block, sum);
  }
}
