// Updates of the slices that a batch touched, from their stacked gradients.
import { ADAGRAD, Finish, finish1, finish4, finishAt, SGD } from "./finish";
import { Gather, gather16, gatherRow, gatherRows16, hasRepeats } from "./gather";

/** h of a slice += mean((scale · g)²); w −= rate · g / (√h + eps). */
const ROW_WISE: u32 = 3;
/** v = decay1 · v + scale · g; w −= rate · v. */
const MOMENTUM: u32 = 4;

/** Stacked gradients of slices. */
@unmanaged
export class Slices {
  /** Slice numbers [count]. */
  slices: usize;
  /** Gradients [count, size]. */
  values: usize;
  size: u32;
  finish: Finish;
}

/** Updates slices [begin, end) of the list. */
export function applySlices(args: usize, begin: i32, end: i32): void {
  const slices = changetype<Slices>(args);
  const bytes = <usize>slices.size << 2;
  for (let i = begin; i < end; i++) {
    const slice = load<u32>(slices.slices + (<usize>i << 2));
    applySlice(slices.finish, slice, slices.values + <usize>i * bytes, bytes);
  }
}

@inline
function applySlice(to: Finish, slice: u32, values: usize, bytes: usize): void {
  const offset = <usize>slice * bytes;
  let at: usize = 0;
  if (to.kind == ROW_WISE) {
    const rate = to.rate * rowWiseFactor(to, slice, values, bytes);
    for (; at < bytes; at += 4) {
      const weight = to.target + offset + at;
      store<f32>(weight, load<f32>(weight) - rate * load<f32>(values + at));
    }
    return;
  }
  if (to.kind > ROW_WISE) {
    for (; at < bytes; at += 4) {
      const weight = to.target + offset + at;
      store<f32>(weight, load<f32>(weight) - to.rate * direction(to, offset + at, load<f32>(values + at)));
    }
    return;
  }
  for (; at + 16 <= bytes; at += 16) finish4(to, offset + at, v128.load(values + at));
  for (; at < bytes; at += 4) finish1(to, offset + at, load<f32>(values + at));
}

/** Updates the accumulator of a slice; returns 1 / (√h + eps). */
function rowWiseFactor(to: Finish, slice: u32, values: usize, bytes: usize): f32 {
  let sum: f32 = 0;
  for (let at: usize = 0; at < bytes; at += 4) {
    const scaled = to.scale * load<f32>(values + at);
    sum += scaled * scaled;
  }
  const state = to.state + (<usize>slice << 2);
  const h = load<f32>(state) + sum / <f32>(bytes >> 2);
  store<f32>(state, h);
  return 1 / (sqrt<f32>(h) + to.eps);
}

/** Updates the accumulators of an element, at a byte offset of the target; returns what momentum and Adam go along. */
function direction(to: Finish, offset: usize, gradient: f32): f32 {
  const state = to.state + offset;
  const g = to.scale * gradient;
  if (to.kind == MOMENTUM) {
    const velocity = to.decay1 * load<f32>(state) + g;
    store<f32>(state, velocity);
    return velocity;
  }
  const mean = to.decay1 * load<f32>(state) + to.gain1 * g;
  const square = to.decay2 * load<f32>(state + to.bytes) + to.gain2 * (g * g);
  store<f32>(state, mean);
  store<f32>(state + to.bytes, square);
  return mean / (sqrt<f32>(square) * to.rootFactor + to.eps);
}

/** Replaces slices [begin, end) of the list by what the weights go along, for a table whose weights lie in another memory. */
export function scaleSlices(args: usize, begin: i32, end: i32): void {
  const slices = changetype<Slices>(args);
  const bytes = <usize>slices.size << 2;
  for (let i = begin; i < end; i++) {
    const slice = load<u32>(slices.slices + (<usize>i << 2));
    const values = slices.values + <usize>i * bytes;
    scaleSlice(slices.finish, slice, values, values, bytes);
  }
}

/** Updates the accumulators of a slice, and writes what the weights go along, which may overwrite the gradient. */
@inline
export function scaleSlice(to: Finish, slice: u32, gradient: usize, out: usize, bytes: usize): void {
  const rowWise: f32 = to.kind == ROW_WISE ? rowWiseFactor(to, slice, gradient, bytes) : 0;
  for (let at: usize = 0; at < bytes; at += 4) {
    const g = load<f32>(gradient + at);
    if (to.kind == ROW_WISE) {
      store<f32>(out + at, g * rowWise);
      continue;
    }
    const offset = <usize>slice * bytes + at;
    if (to.kind != ADAGRAD) {
      store<f32>(out + at, direction(to, offset, g));
      continue;
    }
    const state = to.state + offset;
    const h = load<f32>(state) + to.scale * g * (to.scale * g);
    store<f32>(state, h);
    store<f32>(out + at, g / (sqrt<f32>(h) + to.eps));
  }
}

/** The step of an uncompressed table: gradients of rows are gathered and applied at once. */
@unmanaged
export class TableStep {
  gather: Gather;
  /** Row ids [uniqueRows]. */
  rows: usize;
  finish: Finish;
}

/** Updates rows [begin, end) of the list. */
export function stepRows(args: usize, begin: i32, end: i32): void {
  const step = changetype<TableStep>(args);
  const gather = step.gather;
  const bytes = <usize>gather.dim << 2;
  if (bytes == 64 && step.finish.kind <= ADAGRAD && hasRepeats(gather, begin, end)) {
    stepBlocks16(step, begin, end);
    return;
  }
  if (bytes == 64 && step.finish.kind == SGD) {
    stepRows16(step, begin, end, SGD);
    return;
  }
  if (bytes == 64 && step.finish.kind == ADAGRAD) {
    stepRows16(step, begin, end, ADAGRAD);
    return;
  }
  for (let u = begin; u < end; u++) {
    gatherRow(gather, u);
    applySlice(step.finish, load<u32>(step.rows + (<usize>u << 2)), gather.rowGradients + <usize>u * bytes, bytes);
  }
}

/** Rows of 16, whose gradients never leave the registers. */
@inline
function stepRows16(step: TableStep, begin: i32, end: i32, kind: u32): void {
  const gather = step.gather;
  const finish = changetype<usize>(step.finish);
  const target = step.finish.target;
  const state = step.finish.state;
  for (let u = begin; u < end; u++) {
    const at = <usize>u << 2;
    const offset = <usize>load<u32>(step.rows + at) << 6;
    const first = load<u32>(gather.rowStarts + at);
    const last = load<u32>(gather.rowStarts + at, 4);
    gather16(gather, first, last, target + offset, state + offset, finish, kind);
  }
}

/** Rows of a block, whose gradients stay in the first cache until they are applied. */
const BLOCK: u32 = 128;

/** Rows of 16 that have many positions each: block by block, they are gathered in one loop and applied in another. */
function stepBlocks16(step: TableStep, begin: u32, end: u32): void {
  const kind = step.finish.kind;
  for (let first = begin; first < end; first += BLOCK) {
    const last = min(first + BLOCK, end);
    gatherRows16(step.gather, first, last);
    if (kind == SGD) applyRows16(step, first, last, SGD);
    else applyRows16(step, first, last, ADAGRAD);
  }
}

@inline
function applyRows16(step: TableStep, begin: u32, end: u32, kind: u32): void {
  const finish = step.finish;
  const rate = f32x4.splat(finish.rate);
  const eps = f32x4.splat(finish.eps);
  const scale = f32x4.splat(finish.scale);
  const target = finish.target;
  const state = finish.state;
  let gradient = step.gather.rowGradients + (<usize>begin << 6);
  let row = step.rows + (<usize>begin << 2);
  const stop = step.rows + (<usize>end << 2);
  for (; row < stop; row += 4) {
    const offset = <usize>load<u32>(row) << 6;
    finishAt(kind, target + offset, state + offset, rate, eps, scale, v128.load(gradient));
    finishAt(kind, target + offset + 16, state + offset + 16, rate, eps, scale, v128.load(gradient, 16));
    finishAt(kind, target + offset + 32, state + offset + 32, rate, eps, scale, v128.load(gradient, 32));
    finishAt(kind, target + offset + 48, state + offset + 48, rate, eps, scale, v128.load(gradient, 48));
    gradient += 64;
  }
}
