// Lookups of a table over which other rows are laid: a position is answered by the row in its slot, if it has one, and by
// the table otherwise.
import { NO_ROW } from "./plan";
import { addScaled } from "./pool";
import { madd, splat } from "./simd";

/** Where the row of each position lies. */
@unmanaged
export class Overlay {
  /** Row of each position that has no slot, and the rows [·, D]. */
  rowOf: usize;
  rows: usize;
  /** Slot of each position, or `NO_ROW`, and the rows laid over [·, D]. */
  slots: usize;
  laid: usize;
  /** D. */
  dim: u32;
}

/** Which of the two is not known in advance, so both addresses are computed and no branch is taken. */
@inline
function rowAt(overlay: Overlay, at: usize, bytes: usize): usize {
  const slot = load<u32>(overlay.slots + at);
  const row = overlay.rows + <usize>load<u32>(overlay.rowOf + at) * bytes;
  return select<usize>(overlay.laid + <usize>slot * bytes, row, slot != NO_ROW);
}

/** Which positions make an output, and with what factor. */
@unmanaged
export class OverlaidPool {
  overlay: Overlay;
  /** Where the positions of each output start [outputs + 1]; 0 stands for one position an output. */
  offsets: usize;
  /** Factor of each position; 0 stands for 1 throughout. */
  coefficients: usize;
  /** Outputs [outputs, D]. */
  outputs: usize;
}

/** Sums the rows of outputs [begin, end). */
export function poolOverlaid(args: usize, begin: i32, end: i32): void {
  const pool = changetype<OverlaidPool>(args);
  const bytes = <usize>pool.overlay.dim << 2;
  if (bytes == 64 && pool.offsets == 0 && pool.coefficients == 0) {
    copyRows(pool, begin, end);
    return;
  }
  for (let output = begin; output < end; output++) {
    let first = <u32>output;
    let last = first + 1;
    if (pool.offsets != 0) {
      first = load<u32>(pool.offsets + (<usize>output << 2));
      last = load<u32>(pool.offsets + (<usize>output << 2), 4);
    }
    const out = pool.outputs + <usize>output * bytes;
    if (bytes == 64) sum16(pool, first, last, out);
    else sumAny(pool, first, last, out, bytes);
  }
}

/** Rows of 16, one an output. */
function copyRows(pool: OverlaidPool, begin: i32, end: i32): void {
  const rowOf = pool.overlay.rowOf;
  const rows = pool.overlay.rows;
  const slots = pool.overlay.slots;
  const laid = pool.overlay.laid;
  let out = pool.outputs + (<usize>begin << 6);
  const stop = <usize>end << 2;
  for (let at = <usize>begin << 2; at < stop; at += 4) {
    const slot = load<u32>(slots + at);
    const below = rows + (<usize>load<u32>(rowOf + at) << 6);
    const row = select<usize>(laid + (<usize>slot << 6), below, slot != NO_ROW);
    v128.store(out, v128.load(row));
    v128.store(out, v128.load(row, 16), 16);
    v128.store(out, v128.load(row, 32), 32);
    v128.store(out, v128.load(row, 48), 48);
    out += 64;
  }
}

@inline
function sum16(pool: OverlaidPool, first: u32, last: u32, out: usize): void {
  // Read once: a compiler of WebAssembly does not move loads out of a loop.
  const rowOf = pool.overlay.rowOf;
  const rows = pool.overlay.rows;
  const slots = pool.overlay.slots;
  const laid = pool.overlay.laid;
  const coefficients = pool.coefficients;
  const stop = <usize>last << 2;
  let s0 = f32x4.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  for (let at = <usize>first << 2; at < stop; at += 4) {
    const slot = load<u32>(slots + at);
    const below = rows + (<usize>load<u32>(rowOf + at) << 6);
    const row = select<usize>(laid + (<usize>slot << 6), below, slot != NO_ROW);
    if (coefficients == 0) {
      s0 = f32x4.add(s0, v128.load(row));
      s1 = f32x4.add(s1, v128.load(row, 16));
      s2 = f32x4.add(s2, v128.load(row, 32));
      s3 = f32x4.add(s3, v128.load(row, 48));
    } else {
      const x = splat(coefficients + at);
      s0 = madd(x, v128.load(row), s0);
      s1 = madd(x, v128.load(row, 16), s1);
      s2 = madd(x, v128.load(row, 32), s2);
      s3 = madd(x, v128.load(row, 48), s3);
    }
  }
  v128.store(out, s0);
  v128.store(out, s1, 16);
  v128.store(out, s2, 32);
  v128.store(out, s3, 48);
}

function sumAny(pool: OverlaidPool, first: u32, last: u32, out: usize, bytes: usize): void {
  memory.fill(out, 0, bytes);
  for (let p = first; p < last; p++) {
    const at = <usize>p << 2;
    const x: f32 = pool.coefficients != 0 ? load<f32>(pool.coefficients + at) : 1;
    addScaled(out, x, rowAt(pool.overlay, at, bytes), bytes);
  }
}

/** What the gradients of per-sample weights are made of. */
@unmanaged
export class OverlaidWeights {
  overlay: Overlay;
  /** Output of each position; 0 stands for one position an output. */
  outputOf: usize;
  /** Gradient of the outputs [outputs, D]. */
  outputs: usize;
  /** Derivative of each coefficient by its weight [positions]. */
  factors: usize;
  /** Gradients of the weights [positions]. */
  gradients: usize;
}

/** Gradients of the weights of positions [begin, end): factor · ⟨row, gradient of its output⟩. */
export function overlaidWeightGradients(args: usize, begin: i32, end: i32): void {
  const weights = changetype<OverlaidWeights>(args);
  const bytes = <usize>weights.overlay.dim << 2;
  for (let p = begin; p < end; p++) {
    const at = <usize>p << 2;
    const output = weights.outputOf == 0 ? <u32>p : load<u32>(weights.outputOf + at);
    const row = rowAt(weights.overlay, at, bytes);
    const gradient = weights.outputs + <usize>output * bytes;
    let sum: f32 = 0;
    for (let i: usize = 0; i < bytes; i += 4) sum += load<f32>(row + i) * load<f32>(gradient + i);
    store<f32>(weights.gradients + at, load<f32>(weights.factors + at) * sum);
  }
}
