// Sums of outer products: out [m, n] (+)= Σ_s d[·, s] ⊗ t[s, ·], with few terms s.
//
// Two rows and four terms at a time: their eight factors stay in registers while the columns pass by. At m = 4, four terms
// and n = 16 to 64 this runs at 30 to 38 GFLOP/s; four chains of sums down the columns ran at 19.
import { madd, splat } from "./simd";

/**
 * Element (i, s) of d lies at `d + i · rowStep + s · termStep`; the rows of t and out follow each other. If `fresh`, out
 * held nothing.
 */
@inline
export function addOuter(out: usize, m: u32, n: u32, d: usize, rowStep: usize, termStep: usize, terms: u32, t: usize, fresh: bool): void {
  const stride = <usize>n << 2;
  let row: u32 = 0;
  for (; row + 2 <= m; row += 2) {
    let factors = d;
    let term: u32 = 0;
    let source = t;
    for (; term + 4 <= terms; term += 4) {
      if (fresh && term == 0) pairOfFour(true, out, stride, factors, rowStep, termStep, source);
      else pairOfFour(false, out, stride, factors, rowStep, termStep, source);
      factors += termStep << 2;
      source += stride << 2;
    }
    for (; term < terms; term++) {
      addRow(out, stride, load<f32>(factors), source, fresh && term == 0);
      addRow(out + stride, stride, load<f32>(factors + rowStep), source, fresh && term == 0);
      factors += termStep;
      source += stride;
    }
    d += rowStep << 1;
    out += stride << 1;
  }
  if (row < m) {
    for (let term: u32 = 0; term < terms; term++) {
      addRow(out, stride, load<f32>(d), t, fresh && term == 0);
      d += termStep;
      t += stride;
    }
  }
}

@inline
function pairOfFour(fresh: bool, out: usize, stride: usize, d: usize, rowStep: usize, termStep: usize, t: usize): void {
  const e = d + rowStep;
  const x0 = splat(d);
  const x1 = splat(d + termStep);
  const x2 = splat(d + (termStep << 1));
  const x3 = splat(d + 3 * termStep);
  const y0 = splat(e);
  const y1 = splat(e + termStep);
  const y2 = splat(e + (termStep << 1));
  const y3 = splat(e + 3 * termStep);
  let t0 = t;
  let t1 = t0 + stride;
  let t2 = t1 + stride;
  let t3 = t2 + stride;
  let out1 = out + stride;
  const end = t0 + (stride & ~15);
  while (t0 < end) {
    const b0 = v128.load(t0);
    let p = fresh ? f32x4.mul(x0, b0) : madd(x0, b0, v128.load(out));
    let q = fresh ? f32x4.mul(y0, b0) : madd(y0, b0, v128.load(out1));
    const b1 = v128.load(t1);
    p = madd(x1, b1, p);
    q = madd(y1, b1, q);
    const b2 = v128.load(t2);
    p = madd(x2, b2, p);
    q = madd(y2, b2, q);
    const b3 = v128.load(t3);
    p = madd(x3, b3, p);
    q = madd(y3, b3, q);
    v128.store(out, p);
    v128.store(out1, q);
    t0 += 16;
    t1 += 16;
    t2 += 16;
    t3 += 16;
    out += 16;
    out1 += 16;
  }
  for (let rest = stride & 15; rest > 0; rest -= 4) {
    const p: f32 = fresh ? 0 : load<f32>(out);
    const q: f32 = fresh ? 0 : load<f32>(out1);
    const b0 = load<f32>(t0);
    const b1 = load<f32>(t1);
    const b2 = load<f32>(t2);
    const b3 = load<f32>(t3);
    store<f32>(out, p + load<f32>(d) * b0 + load<f32>(d + termStep) * b1 + load<f32>(d + (termStep << 1)) * b2 + load<f32>(d + 3 * termStep) * b3);
    store<f32>(out1, q + load<f32>(e) * b0 + load<f32>(e + termStep) * b1 + load<f32>(e + (termStep << 1)) * b2 + load<f32>(e + 3 * termStep) * b3);
    t0 += 4;
    t1 += 4;
    t2 += 4;
    t3 += 4;
    out += 4;
    out1 += 4;
  }
}

/** out (+)= x · source. */
function addRow(out: usize, bytes: usize, x: f32, source: usize, fresh: bool): void {
  const vector = f32x4.splat(x);
  let at: usize = 0;
  for (; at + 16 <= bytes; at += 16) {
    const before = fresh ? f32x4.splat(0) : v128.load(out + at);
    v128.store(out + at, madd(vector, v128.load(source + at), before));
  }
  for (; at < bytes; at += 4) {
    const before: f32 = fresh ? 0 : load<f32>(out + at);
    store<f32>(out + at, before + x * load<f32>(source + at));
  }
}
