// What becomes of a finished piece of a core's gradient: it is stored, or it updates the core at once.
import { madd } from "./simd";

/** Store the gradient. */
export const STORE: u32 = 0;
/** w −= rate · g. */
export const SGD: u32 = 1;
/** h += (scale · g)²; w −= rate · g / (√h + eps), with the scale in the rate. */
export const ADAGRAD: u32 = 2;

/** Where gradients of a core go. */
@unmanaged
export class Finish {
  kind: u32;
  /** The stacked gradients, or the core. */
  target: usize;
  /** The accumulators: beside the core, or one a slice. */
  state: usize;
  rate: f32;
  eps: f32;
  scale: f32;
  /** Decay of the velocity or the mean gradient. */
  decay1: f32;
  /** Decay of the mean square. */
  decay2: f32;
  /** 1 − decay1. */
  gain1: f32;
  /** 1 − decay2. */
  gain2: f32;
  /** Factor on the root of the mean square. */
  rootFactor: f32;
  /** Bytes of the target: how far Adam's mean squares lie behind its mean gradients. */
  bytes: usize;
}

/** Four elements at a byte offset of the target. */
@inline
export function finish4(to: Finish, offset: usize, gradient: v128): void {
  finish4As(to.kind, to, offset, gradient);
}

/** `finish4` of a kind that is known. */
@inline
export function finish4As(kind: u32, to: Finish, offset: usize, gradient: v128): void {
  finishAt(kind, to.target + offset, to.state + offset, f32x4.splat(to.rate), f32x4.splat(to.eps), f32x4.splat(to.scale), gradient);
}

/** `finish4As` for loops that read the record but once: a store might change it, for all that the compiler knows. */
@inline
export function finishAt(kind: u32, at: usize, state: usize, rate: v128, eps: v128, scale: v128, gradient: v128): void {
  if (kind == STORE) {
    v128.store(at, gradient);
  } else if (kind == SGD) {
    v128.store(at, f32x4.sub(v128.load(at), f32x4.mul(rate, gradient)));
  } else {
    const scaled = f32x4.mul(scale, gradient);
    const h = madd(scaled, scaled, v128.load(state));
    v128.store(state, h);
    const step = f32x4.div(f32x4.mul(rate, gradient), f32x4.add(f32x4.sqrt(h), eps));
    v128.store(at, f32x4.sub(v128.load(at), step));
  }
}

/** One element. */
@inline
export function finish1(to: Finish, offset: usize, gradient: f32): void {
  const at = to.target + offset;
  if (to.kind == STORE) {
    store<f32>(at, gradient);
  } else if (to.kind == SGD) {
    store<f32>(at, load<f32>(at) - to.rate * gradient);
  } else {
    // As a vector, so that an element gets the same bits whether it is met alone or among four.
    const scaled = f32x4.splat(to.scale * gradient);
    const h = f32x4.extract_lane(madd(scaled, scaled, f32x4.splat(load<f32>(to.state + offset))), 0);
    store<f32>(to.state + offset, h);
    store<f32>(at, load<f32>(at) - (to.rate * gradient) / (sqrt<f32>(h) + to.eps));
  }
}

/** A slice of the target: the slice of a digit in the core, or the next one of the stack. */
@inline
export function sliceOffset(to: Finish, place: u32, digit: u32, bytes: usize): usize {
  return <usize>(to.kind == STORE ? place : digit) * bytes;
}
