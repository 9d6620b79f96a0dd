import { madd, sumLanes } from "./simd";

/**
 * The products of all pairs of a sample's vectors, and their gradients. Units are blocks of 16 samples.
 *
 *     row of `rows`: the first vector, if passThrough, then ⟨x_i, x_k⟩ for i = 1 …, k < i: the strictly lower triangle;
 *                    with self, for i = 0 …, k ≤ i
 *     scratch:       a place a unit for the vectors of one sample, [count, dim rounded up to 4], filled up with zeros
 *
 * The copy halves the time: vectors of different tensors often lie a multiple of 4 KiB apart (128 samples of 16 elements
 * do), and then all of a sample compete for one set of the first-level cache.
 */
@unmanaged
export class InteractionArgs {
  vectors: usize; // table of `count` addresses of [samples, dim]
  gradients: usize; // the same for the gradients that the backward pass writes
  rows: usize; // [samples, width]: the result, or its gradient
  scratch: usize;
  samples: i32;
  count: i32;
  dim: i32;
  passThrough: i32;
  self: i32; // 1 with the diagonal, else 0
}

/** Samples of a unit. */
export const UNIT: i32 = 16;

// @ts-ignore: decorator
@inline
export function triangle(i: i32): i32 {
  return (i * (i - 1)) / 2;
}

// @ts-ignore: decorator
@inline
export function rowAt(args: InteractionArgs, sample: i32): usize {
  const width = triangle(args.count + args.self) + (args.passThrough != 0 ? args.dim : 0);
  return args.rows + <usize>sample * 4 * width;
}

/** Bytes of a vector in scratch. */
// @ts-ignore: decorator
@inline
export function paddedBytes(dim: i32): usize {
  return (<usize>dim * 4 + 15) & ~15;
}

/** Copies the vectors of a sample next to each other. */
export function collect(args: InteractionArgs, sample: i32, to: usize): void {
  const bytes = <usize>args.dim * 4;
  const offset = <usize>sample * bytes;
  for (let v = 0; v < args.count; v++) {
    let from = load<usize>(args.vectors + <usize>v * 4) + offset;
    const stop = from + bytes;
    for (; from + 16 <= stop; from += 16, to += 16) v128.store(to, v128.load(from));
    if (from < stop) {
      v128.store(to, f32x4.splat(0));
      for (let at = to; from < stop; from += 4, at += 4) store<f32>(at, load<f32>(from));
      to += 16;
    }
  }
}

/** Computes the rows of the units [begin, end). */
export function dotInteraction(record: usize, begin: i32, end: i32): void {
  const args = changetype<InteractionArgs>(record);
  const bytes = paddedBytes(args.dim);
  for (let unit = begin; unit < end; unit++) {
    const x = args.scratch + <usize>unit * args.count * bytes;
    const last = min((unit + 1) * UNIT, args.samples);
    for (let sample = unit * UNIT; sample < last; sample++) {
      collect(args, sample, x);
      let to = rowAt(args, sample);
      if (args.passThrough != 0) {
        const stop = to + <usize>args.dim * 4;
        for (let from = x; to < stop; to += 4, from += 4) store<f32>(to, load<f32>(from));
      }
      multiplyPairs(x, args.count, args.self, bytes, to);
    }
  }
}

/** Writes the triangle of products of `count` vectors. */
function multiplyPairs(x: usize, count: i32, self: i32, bytes: usize, to: usize): void {
  for (let i = 1 - self; i < count; i++) {
    const y = x + <usize>i * bytes;
    const products = i + self;
    // Products beyond them are overwritten by the next row; the last rows have no such room.
    const whole = (products + 3 <= count ? products + 3 : products) & ~3;
    let k = 0;
    for (; k < whole; k += 4) fourDots(y, x + <usize>k * bytes, bytes, to + 4 * k);
    for (; k < products; k++) store<f32>(to + 4 * k, dot(y, x + <usize>k * bytes, bytes));
    to += 4 * products;
  }
}

/** Products of `x` with four vectors that follow each other. */
function fourDots(x: usize, a: usize, bytes: usize, to: usize): void {
  const b = a + bytes;
  const c = b + bytes;
  const d = c + bytes;
  let sa = f32x4.splat(0);
  let sb = f32x4.splat(0);
  let sc = f32x4.splat(0);
  let sd = f32x4.splat(0);
  let at: usize = 0;
  // Sixteen elements a turn: with the loop's own cost at four, DLRM's vectors of 16 take twice as long.
  for (; at + 64 <= bytes; at += 64) {
    const x0 = v128.load(x + at);
    sa = madd(x0, v128.load(a + at), sa);
    sb = madd(x0, v128.load(b + at), sb);
    sc = madd(x0, v128.load(c + at), sc);
    sd = madd(x0, v128.load(d + at), sd);
    const x1 = v128.load(x + at, 16);
    sa = madd(x1, v128.load(a + at, 16), sa);
    sb = madd(x1, v128.load(b + at, 16), sb);
    sc = madd(x1, v128.load(c + at, 16), sc);
    sd = madd(x1, v128.load(d + at, 16), sd);
    const x2 = v128.load(x + at, 32);
    sa = madd(x2, v128.load(a + at, 32), sa);
    sb = madd(x2, v128.load(b + at, 32), sb);
    sc = madd(x2, v128.load(c + at, 32), sc);
    sd = madd(x2, v128.load(d + at, 32), sd);
    const x3 = v128.load(x + at, 48);
    sa = madd(x3, v128.load(a + at, 48), sa);
    sb = madd(x3, v128.load(b + at, 48), sb);
    sc = madd(x3, v128.load(c + at, 48), sc);
    sd = madd(x3, v128.load(d + at, 48), sd);
  }
  for (; at < bytes; at += 16) {
    const x0 = v128.load(x + at);
    sa = madd(x0, v128.load(a + at), sa);
    sb = madd(x0, v128.load(b + at), sb);
    sc = madd(x0, v128.load(c + at), sc);
    sd = madd(x0, v128.load(d + at), sd);
  }
  // A transposition and the sums of four lanes each, in the order of sumLanes.
  const ab = f32x4.add(i32x4.shuffle(sa, sb, 0, 4, 1, 5), i32x4.shuffle(sa, sb, 2, 6, 3, 7));
  const cd = f32x4.add(i32x4.shuffle(sc, sd, 0, 4, 1, 5), i32x4.shuffle(sc, sd, 2, 6, 3, 7));
  v128.store(to, f32x4.add(i64x2.shuffle(ab, cd, 0, 2), i64x2.shuffle(ab, cd, 1, 3)));
}

function dot(x: usize, y: usize, bytes: usize): f32 {
  let sums = f32x4.splat(0);
  for (let at: usize = 0; at < bytes; at += 16) sums = madd(v128.load(x + at), v128.load(y + at), sums);
  return sumLanes(sums);
}
