// The gradient of bags into the gradient of rows.
import { Finish, finishAt, STORE } from "./finish";
import { addScaled } from "./pool";
import { madd, splat } from "./simd";

/** The gradient of the outputs, as rows gather it. */
@unmanaged
export class Gather {
  /** Positions by row, and where each row's start [uniqueRows + 1]. */
  order: usize;
  rowStarts: usize;
  /** Row of each position, by whatever number. */
  ids: usize;
  /** Output of each position; 0 stands for one position an output. */
  outputOf: usize;
  coefficients: usize;
  dim: u32;
  /** Gradient of the outputs [outputs, D]. */
  outputs: usize;
  /** Gradients of the rows [uniqueRows, D]. */
  rowGradients: usize;
}

/** Sums the gradients of rows [begin, end). */
export function gatherGradients(args: usize, begin: i32, end: i32): void {
  gatherRows(changetype<Gather>(args), begin, end);
}

/** The gradients of rows [begin, end). */
@inline
export function gatherRows(gather: Gather, begin: u32, end: u32): void {
  if (gather.dim == 16 && hasRepeats(gather, begin, end)) gatherRows16(gather, begin, end);
  else for (let u = begin; u < end; u++) gatherRow(gather, u);
}

@inline
export function gatherRow(gather: Gather, u: u32): void {
  const bytes = <usize>gather.dim << 2;
  const first = load<u32>(gather.rowStarts + (<usize>u << 2));
  const last = load<u32>(gather.rowStarts + (<usize>u << 2), 4);
  const out = gather.rowGradients + <usize>u * bytes;
  if (bytes == 64) gather16(gather, first, last, out, 0, 0, STORE);
  else gatherAny(gather, first, last, out, bytes);
}

/** The gradient of a row of 16 whose positions are [first, last) of the order: it is stored, or updates the row. */
@inline
export function gather16(gather: Gather, first: u32, last: u32, target: usize, state: usize, finish: usize, kind: u32): void {
  const order = gather.order;
  const outputOf = gather.outputOf;
  const coefficients = gather.coefficients;
  let s0 = f32x4.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  for (let s = first; s < last; s++) {
    const p = <usize>load<u32>(order + (<usize>s << 2)) << 2;
    const output = outputOf == 0 ? p >> 2 : <usize>load<u32>(outputOf + p);
    const source = gather.outputs + (output << 6);
    if (coefficients != 0) {
      const x = splat(coefficients + p);
      s0 = madd(x, v128.load(source), s0);
      s1 = madd(x, v128.load(source, 16), s1);
      s2 = madd(x, v128.load(source, 32), s2);
      s3 = madd(x, v128.load(source, 48), s3);
    } else {
      s0 = f32x4.add(s0, v128.load(source));
      s1 = f32x4.add(s1, v128.load(source, 16));
      s2 = f32x4.add(s2, v128.load(source, 32));
      s3 = f32x4.add(s3, v128.load(source, 48));
    }
  }
  let rate = s0;
  let eps = s0;
  let scale = s0;
  if (kind != STORE) {
    const to = changetype<Finish>(finish);
    rate = f32x4.splat(to.rate);
    eps = f32x4.splat(to.eps);
    scale = f32x4.splat(to.scale);
  }
  finishAt(kind, target, state, rate, eps, scale, s0);
  finishAt(kind, target + 16, state + 16, rate, eps, scale, s1);
  finishAt(kind, target + 32, state + 32, rate, eps, scale, s2);
  finishAt(kind, target + 48, state + 48, rate, eps, scale, s3);
}

function gatherAny(gather: Gather, first: u32, last: u32, out: usize, bytes: usize): void {
  memory.fill(out, 0, bytes);
  for (let s = first; s < last; s++) {
    const p = <usize>load<u32>(gather.order + (<usize>s << 2)) << 2;
    const output = gather.outputOf == 0 ? p >> 2 : <usize>load<u32>(gather.outputOf + p);
    const x: f32 = gather.coefficients != 0 ? load<f32>(gather.coefficients + p) : 1;
    addScaled(out, x, gather.outputs + output * bytes, bytes);
  }
}

/** Whether rows [begin, end) have so many positions that a loop over these is quicker than one over the rows. */
export function hasRepeats(gather: Gather, begin: u32, end: u32): bool {
  const positions = load<u32>(gather.rowStarts + (<usize>end << 2)) - load<u32>(gather.rowStarts + (<usize>begin << 2));
  return <u64>positions * 4 > <u64>(end - begin) * 5;
}

/**
 * The gradients of rows [begin, end) of 16 in one loop over their positions: how many a row has cannot be predicted. The sum so far is
 * stored at each position, and overwritten at the next one of its row.
 */
export function gatherRows16(gather: Gather, begin: u32, end: u32): void {
  const ids = gather.ids;
  const outputOf = gather.outputOf;
  const coefficients = gather.coefficients;
  const outputs = gather.outputs;
  let at = gather.order + (<usize>load<u32>(gather.rowStarts + (<usize>begin << 2)) << 2);
  const stop = gather.order + (<usize>load<u32>(gather.rowStarts + (<usize>end << 2)) << 2);
  let out = gather.rowGradients + (<usize>begin << 6) - 64;
  let previous = ~load<u32>(ids + (<usize>load<u32>(at) << 2));
  let s0 = f32x4.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  for (; at < stop; at += 4) {
    const p = <usize>load<u32>(at) << 2;
    const id = load<u32>(ids + p);
    const goesOn = <i32>(id == previous);
    previous = id;
    out += <usize>(1 - goesOn) << 6;
    const kept = i32x4.splat(-goesOn);
    const source = outputs + ((outputOf == 0 ? p >> 2 : <usize>load<u32>(outputOf + p)) << 6);
    s0 = v128.and(s0, kept);
    s1 = v128.and(s1, kept);
    s2 = v128.and(s2, kept);
    s3 = v128.and(s3, kept);
    if (coefficients != 0) {
      const x = splat(coefficients + p);
      s0 = madd(x, v128.load(source), s0);
      s1 = madd(x, v128.load(source, 16), s1);
      s2 = madd(x, v128.load(source, 32), s2);
      s3 = madd(x, v128.load(source, 48), s3);
    } else {
      s0 = f32x4.add(s0, v128.load(source));
      s1 = f32x4.add(s1, v128.load(source, 16));
      s2 = f32x4.add(s2, v128.load(source, 32));
      s3 = f32x4.add(s3, v128.load(source, 48));
    }
    v128.store(out, s0);
    v128.store(out, s1, 16);
    v128.store(out, s2, 32);
    v128.store(out, s3, 48);
  }
}
