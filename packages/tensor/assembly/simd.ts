/** Vector helpers of all kernels. No state, no memory. */

/** `a·b + c`: one rounding in the relaxed build, two in the plain one. */
// @ts-ignore: decorator
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? f32x4.relaxed_madd(a, b, c) : f32x4.add(f32x4.mul(a, b), c);
}

/** Negative lanes, and -0, become 0; NaN stays NaN, which is why the operands of `pmax` are in this order. */
// @ts-ignore: decorator
@inline
export function rectify(x: v128): v128 {
  return f32x4.add(f32x4.pmax(x, f32x4.splat(0)), f32x4.splat(0));
}

/** The sum of four lanes, in a fixed order. */
// @ts-ignore: decorator
@inline
export function sumLanes(x: v128): f32 {
  return (
    f32x4.extract_lane(x, 0) + f32x4.extract_lane(x, 2) + (f32x4.extract_lane(x, 1) + f32x4.extract_lane(x, 3))
  );
}

/** Start of part `i` when `count` things are cut into `parts` as equal as can be. Nothing here overflows. */
// @ts-ignore: decorator
@inline
export function partStart(count: i32, parts: i32, i: i32): i32 {
  return i * (count / parts) + min(i, count % parts);
}

/** Writes the transpose of the 4×4 floats at `from`, whose rows are the given bytes apart, to `to`. */
// @ts-ignore: decorator
@inline
export function transpose4(r0: v128, r1: v128, r2: v128, r3: v128, to: usize, toStride: usize): void {
  const low01 = i32x4.shuffle(r0, r1, 0, 4, 1, 5);
  const high01 = i32x4.shuffle(r0, r1, 2, 6, 3, 7);
  const low23 = i32x4.shuffle(r2, r3, 0, 4, 1, 5);
  const high23 = i32x4.shuffle(r2, r3, 2, 6, 3, 7);
  v128.store(to, i64x2.shuffle(low01, low23, 0, 2));
  v128.store(to + toStride, i64x2.shuffle(low01, low23, 1, 3));
  v128.store(to + 2 * toStride, i64x2.shuffle(high01, high23, 0, 2));
  v128.store(to + 3 * toStride, i64x2.shuffle(high01, high23, 1, 3));
}
