import { sumLanes } from "./simd";

/**
 * Update rules on whole parameters. Plain multiplication and addition in both builds, element by element, so that the cut
 * into vectors and remainders does not show in the bits.
 */
@unmanaged
class UpdateArgs {
  weights: usize; // [count]
  gradient: usize; // [count]
  state: usize; // [count], [2, count] for adam, [slices] for rowWiseAdagrad
  count: i32; // elements, or slices for rowWiseAdagrad
  sliceSize: i32; // elements of a slice, for rowWiseAdagrad
  rate: f32; // factor on the direction
  scale: f32; // factor on the gradient in the accumulators
  eps: f32;
  decay1: f32; // of the velocity or the mean gradient
  decay2: f32; // of the mean square
  gain1: f32; // 1 − decay1
  gain2: f32; // 1 − decay2
  rootFactor: f32; // on the root of the mean square
}

/** Elements of a unit of all but `rowWiseAdagrad`. */
const BLOCK: i32 = 16384;

/** `w -= rate · g` on the units [begin, end). */
export function sgd(record: usize, begin: i32, end: i32): void {
  const args = changetype<UpdateArgs>(record);
  const first = <usize>begin * 4 * BLOCK;
  const bytes = <usize>min(end * BLOCK, args.count) * 4 - first;
  descend(args.weights + first, args.gradient + first, bytes, args.rate);
}

function descend(w: usize, g: usize, bytes: usize, rate: f32): void {
  const stop = w + bytes;
  const rates = f32x4.splat(rate);
  for (; w + 16 <= stop; w += 16, g += 16) v128.store(w, f32x4.sub(v128.load(w), f32x4.mul(rates, v128.load(g))));
  for (; w < stop; w += 4, g += 4) store<f32>(w, load<f32>(w) - rate * load<f32>(g));
}

/** `h += (scale · g)²; w -= rate · g / (√h + eps)` on the units [begin, end). */
export function adagrad(record: usize, begin: i32, end: i32): void {
  const args = changetype<UpdateArgs>(record);
  const first = <usize>begin * 4 * BLOCK;
  let w = args.weights + first;
  let g = args.gradient + first;
  let h = args.state + first;
  const stop = args.weights + <usize>min(end * BLOCK, args.count) * 4;
  const rates = f32x4.splat(args.rate);
  const scales = f32x4.splat(args.scale);
  const eps = f32x4.splat(args.eps);
  for (; w + 16 <= stop; w += 16, g += 16, h += 16) {
    const gradient = v128.load(g);
    const scaled = f32x4.mul(scales, gradient);
    const sums = f32x4.add(v128.load(h), f32x4.mul(scaled, scaled));
    v128.store(h, sums);
    v128.store(w, f32x4.sub(v128.load(w), f32x4.div(f32x4.mul(rates, gradient), f32x4.add(f32x4.sqrt(sums), eps))));
  }
  for (; w < stop; w += 4, g += 4, h += 4) {
    const gradient = load<f32>(g);
    const scaled = args.scale * gradient;
    const sum = load<f32>(h) + scaled * scaled;
    store<f32>(h, sum);
    store<f32>(w, load<f32>(w) - (args.rate * gradient) / (sqrt<f32>(sum) + args.eps));
  }
}

/** `v = decay1 · v + scale · g; w -= rate · v` on the units [begin, end). */
export function momentum(record: usize, begin: i32, end: i32): void {
  const args = changetype<UpdateArgs>(record);
  const first = <usize>begin * 4 * BLOCK;
  let w = args.weights + first;
  let g = args.gradient + first;
  let v = args.state + first;
  const stop = args.weights + <usize>min(end * BLOCK, args.count) * 4;
  const rates = f32x4.splat(args.rate);
  const scales = f32x4.splat(args.scale);
  const decays = f32x4.splat(args.decay1);
  for (; w + 16 <= stop; w += 16, g += 16, v += 16) {
    const velocity = f32x4.add(f32x4.mul(decays, v128.load(v)), f32x4.mul(scales, v128.load(g)));
    v128.store(v, velocity);
    v128.store(w, f32x4.sub(v128.load(w), f32x4.mul(rates, velocity)));
  }
  for (; w < stop; w += 4, g += 4, v += 4) {
    const velocity = args.decay1 * load<f32>(v) + args.scale * load<f32>(g);
    store<f32>(v, velocity);
    store<f32>(w, load<f32>(w) - args.rate * velocity);
  }
}

/** Adam on the units [begin, end); the mean squares lie behind all mean gradients. */
export function adam(record: usize, begin: i32, end: i32): void {
  const args = changetype<UpdateArgs>(record);
  const first = <usize>begin * 4 * BLOCK;
  const squares = <usize>args.count * 4;
  let w = args.weights + first;
  let g = args.gradient + first;
  let m = args.state + first;
  const stop = args.weights + <usize>min(end * BLOCK, args.count) * 4;
  const rates = f32x4.splat(args.rate);
  const scales = f32x4.splat(args.scale);
  const eps = f32x4.splat(args.eps);
  const decays1 = f32x4.splat(args.decay1);
  const decays2 = f32x4.splat(args.decay2);
  const gains1 = f32x4.splat(args.gain1);
  const gains2 = f32x4.splat(args.gain2);
  const roots = f32x4.splat(args.rootFactor);
  for (; w + 16 <= stop; w += 16, g += 16, m += 16) {
    const scaled = f32x4.mul(scales, v128.load(g));
    const mean = f32x4.add(f32x4.mul(decays1, v128.load(m)), f32x4.mul(gains1, scaled));
    const square = f32x4.add(f32x4.mul(decays2, v128.load(m + squares)), f32x4.mul(gains2, f32x4.mul(scaled, scaled)));
    v128.store(m, mean);
    v128.store(m + squares, square);
    const root = f32x4.add(f32x4.mul(f32x4.sqrt(square), roots), eps);
    v128.store(w, f32x4.sub(v128.load(w), f32x4.div(f32x4.mul(rates, mean), root)));
  }
  for (; w < stop; w += 4, g += 4, m += 4) {
    const scaled = args.scale * load<f32>(g);
    const mean = args.decay1 * load<f32>(m) + args.gain1 * scaled;
    const square = args.decay2 * load<f32>(m + squares) + args.gain2 * (scaled * scaled);
    store<f32>(m, mean);
    store<f32>(m + squares, square);
    store<f32>(w, load<f32>(w) - (args.rate * mean) / (sqrt<f32>(square) * args.rootFactor + args.eps));
  }
}

/** `h += mean((scale · g)²); w -= rate · g / (√h + eps)` with one h a slice, on the slices [begin, end). */
export function rowWiseAdagrad(record: usize, begin: i32, end: i32): void {
  const args = changetype<UpdateArgs>(record);
  const bytes = <usize>args.sliceSize * 4;
  for (let slice = begin; slice < end; slice++) {
    const w = args.weights + <usize>slice * bytes;
    const g = args.gradient + <usize>slice * bytes;
    const h = args.state + <usize>slice * 4;
    const sum = load<f32>(h) + meanSquare(g, bytes, args.scale);
    store<f32>(h, sum);
    // An infinite factor would make NaN of a gradient of zeros.
    descend(w, g, bytes, min<f32>(args.rate / (sqrt<f32>(sum) + args.eps), f32.MAX_VALUE));
  }
}

function meanSquare(g: usize, bytes: usize, scale: f32): f32 {
  const stop = g + bytes;
  const scales = f32x4.splat(scale);
  let s0 = f32x4.splat(0);
  let s1 = f32x4.splat(0);
  for (; g + 32 <= stop; g += 32) {
    const x = f32x4.mul(scales, v128.load(g));
    const y = f32x4.mul(scales, v128.load(g, 16));
    s0 = f32x4.add(s0, f32x4.mul(x, x));
    s1 = f32x4.add(s1, f32x4.mul(y, y));
  }
  let sum = sumLanes(f32x4.add(s0, s1));
  for (; g < stop; g += 4) {
    const x = scale * load<f32>(g);
    sum += x * x;
  }
  return sum / <f32>(bytes >> 2);
}
