import { collect, InteractionArgs, paddedBytes, rowAt, triangle, UNIT } from "./interaction";
import { madd } from "./simd";

/** Computes the gradients dx_i = Σ_k g_ik·x_k of the units [begin, end), two vectors at a time: see interaction.ts. */
export function dotInteractionBackward(record: usize, begin: i32, end: i32): void {
  const args = changetype<InteractionArgs>(record);
  const bytes = paddedBytes(args.dim);
  for (let unit = begin; unit < end; unit++) {
    const x = args.scratch + <usize>unit * args.count * bytes;
    const last = min((unit + 1) * UNIT, args.samples);
    for (let sample = unit * UNIT; sample < last; sample++) {
      collect(args, sample, x);
      sampleGradients(args, sample, x, bytes);
    }
  }
}

function sampleGradients(args: InteractionArgs, sample: i32, x: usize, bytes: usize): void {
  const count = args.count;
  const own = <usize>args.dim * 4;
  const row = rowAt(args, sample);
  const g = args.passThrough != 0 ? row + own : row;
  const wide: usize = args.self != 0 ? 0 : own & ~63;
  for (let i = 0; i < count; i += 2) {
    const pair = i + 1 < count;
    const s = load<usize>(args.gradients + <usize>i * 4) + <usize>sample * own;
    const t = pair ? load<usize>(args.gradients + <usize>(i + 1) * 4) + <usize>sample * own : 0;
    let at: usize = 0;
    for (; at < wide; at += 64) {
      if (pair) pair16(g, i, count, x + at, bytes, s + at, t + at);
      else single16(g, i, count, x + at, bytes, s + at);
    }
    for (; at < own; at += 16) {
      storePart(s + at, single4(g, i, count, args.self, x + at, bytes), own - at);
      if (pair) storePart(t + at, single4(g, i + 1, count, args.self, x + at, bytes), own - at);
    }
  }
  if (args.passThrough != 0) {
    const first = load<usize>(args.gradients) + <usize>sample * own;
    for (let at: usize = 0; at < own; at += 4) store<f32>(first + at, load<f32>(first + at) + load<f32>(row + at));
  }
}

/** Sixteen elements of the gradients of vector i, to `s`, and, if `pair` (a constant at each call), of vector i + 1, to `t`. */
// @ts-ignore: decorator
@inline
function gather16(pair: bool, g: usize, i: i32, count: i32, x: usize, bytes: usize, s: usize, t: usize): void {
  let s0 = f32x4.splat(0);
  let s1 = f32x4.splat(0);
  let s2 = f32x4.splat(0);
  let s3 = f32x4.splat(0);
  let t0 = f32x4.splat(0);
  let t1 = f32x4.splat(0);
  let t2 = f32x4.splat(0);
  let t3 = f32x4.splat(0);
  let atS = g + <usize>triangle(i) * 4;
  let atT = g + <usize>triangle(i + 1) * 4;
  if (pair) {
    // The product of the two comes first, not between the loops: arithmetic there makes V8 spill.
    const a = x + <usize>i * bytes;
    const b = a + bytes;
    const own = v128.load_splat<f32>(atT + 4 * i);
    s0 = f32x4.mul(own, v128.load(b));
    s1 = f32x4.mul(own, v128.load(b, 16));
    s2 = f32x4.mul(own, v128.load(b, 32));
    s3 = f32x4.mul(own, v128.load(b, 48));
    t0 = f32x4.mul(own, v128.load(a));
    t1 = f32x4.mul(own, v128.load(a, 16));
    t2 = f32x4.mul(own, v128.load(a, 32));
    t3 = f32x4.mul(own, v128.load(a, 48));
  }
  // Left of the diagonal g_ik is row i of the triangle, right of it column i: the step from k to k + 1 grows by one each time.
  let stepS: usize = 4;
  let grow: usize = 0;
  let gap = atT - atS;
  let k = 0;
  for (let part = 0; part < 2; part++) {
    const stop = part == 0 ? i : count;
    for (; k < stop; k++) {
      const x0 = v128.load(x);
      const x1 = v128.load(x, 16);
      const x2 = v128.load(x, 32);
      const x3 = v128.load(x, 48);
      const a = v128.load_splat<f32>(atS);
      s0 = madd(a, x0, s0);
      s1 = madd(a, x1, s1);
      s2 = madd(a, x2, s2);
      s3 = madd(a, x3, s3);
      if (pair) {
        const b = v128.load_splat<f32>(atS + gap);
        t0 = madd(b, x0, t0);
        t1 = madd(b, x1, t1);
        t2 = madd(b, x2, t2);
        t3 = madd(b, x3, t3);
      }
      x += bytes;
      atS += stepS;
      stepS += grow;
    }
    if (part == 0) {
      k = pair ? i + 2 : i + 1;
      x += pair ? 2 * bytes : bytes;
      atS = g + (<usize>triangle(k) + i) * 4;
      gap = 4;
      stepS = <usize>k * 4;
      grow = 4;
    }
  }
  v128.store(s, s0);
  v128.store(s, s1, 16);
  v128.store(s, s2, 32);
  v128.store(s, s3, 48);
  if (pair) {
    v128.store(t, t0);
    v128.store(t, t1, 16);
    v128.store(t, t2, 32);
    v128.store(t, t3, 48);
  }
}

function pair16(g: usize, i: i32, count: i32, x: usize, bytes: usize, s: usize, t: usize): void {
  gather16(true, g, i, count, x, bytes, s, t);
}

function single16(g: usize, i: i32, count: i32, x: usize, bytes: usize, s: usize): void {
  gather16(false, g, i, count, x, bytes, s, 0);
}

/** Four elements of the gradient of vector i. */
function single4(g: usize, i: i32, count: i32, self: i32, x: usize, bytes: usize): v128 {
  let sums = f32x4.splat(0);
  for (let k = 0; k < count; k++, x += bytes) {
    if (k == i && self == 0) continue;
    const at = g + <usize>(i > k ? triangle(i + self) + k : triangle(k + self) + i) * 4;
    const y = v128.load(x);
    // A vector is both factors of its own product.
    sums = madd(v128.load_splat<f32>(at), k == i ? f32x4.add(y, y) : y, sums);
  }
  return sums;
}

/** Writes what of a vector is within `bytes`. */
function storePart(to: usize, x: v128, bytes: usize): void {
  if (bytes >= 16) return v128.store(to, x);
  v128.store_lane<f32>(to, x, 0);
  if (bytes > 4) v128.store_lane<f32>(to, x, 1, 4);
  if (bytes > 8) v128.store_lane<f32>(to, x, 2, 8);
}
