// Rows into bags.
import { madd, splat } from "./simd";

/** Which positions make an output, and with what factor. */
@unmanaged
export class Pool {
  /** Where the positions of each output start [outputs + 1]; 0 stands for one position an output. */
  offsets: usize;
  /** Row of each position. */
  rowOf: usize;
  /** Factor of each position; 0 stands for 1 throughout. */
  coefficients: usize;
  /** D. */
  dim: u32;
  /** Rows [·, D]. */
  rows: usize;
  /** Outputs [outputs, D]. */
  outputs: usize;
}

/** Sums the rows of outputs [begin, end). */
export function poolRows(args: usize, begin: i32, end: i32): void {
  const pool = changetype<Pool>(args);
  const bytes = <usize>pool.dim << 2;
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
    if (bytes != 64) sumAny(pool, first, last, out, bytes);
    else if (pool.coefficients == 0) sum16(pool, first, last, out);
    else weightedSum16(pool, first, last, out);
  }
}

/**
 * Rows of 16, one an output. The processor looks ahead by a number of instructions, so the fewer a row takes, the more of
 * them are on their way from memory.
 */
function copyRows(pool: Pool, begin: i32, end: i32): void {
  const rows = pool.rows;
  let id = pool.rowOf + (<usize>begin << 2);
  const stop = pool.rowOf + (<usize>end << 2);
  let out = pool.outputs + (<usize>begin << 6);
  for (; id < stop; id += 4) {
    const row = rows + (<usize>load<u32>(id) << 6);
    v128.store(out, v128.load(row));
    v128.store(out, v128.load(row, 16), 16);
    v128.store(out, v128.load(row, 32), 32);
    v128.store(out, v128.load(row, 48), 48);
    out += 64;
  }
}

@inline
function sum16(pool: Pool, first: u32, last: u32, out: usize): void {
  const rows = pool.rows;
  let id = pool.rowOf + (<usize>first << 2);
  const stop = pool.rowOf + (<usize>last << 2);
  let s0 = f32x4.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  for (; id + 8 <= stop; id += 8) {
    const row = rows + (<usize>load<u32>(id) << 6);
    const next = rows + (<usize>load<u32>(id, 4) << 6);
    s0 = f32x4.add(f32x4.add(s0, v128.load(row)), v128.load(next));
    s1 = f32x4.add(f32x4.add(s1, v128.load(row, 16)), v128.load(next, 16));
    s2 = f32x4.add(f32x4.add(s2, v128.load(row, 32)), v128.load(next, 32));
    s3 = f32x4.add(f32x4.add(s3, v128.load(row, 48)), v128.load(next, 48));
  }
  if (id < stop) {
    const row = rows + (<usize>load<u32>(id) << 6);
    s0 = f32x4.add(s0, v128.load(row));
    s1 = f32x4.add(s1, v128.load(row, 16));
    s2 = f32x4.add(s2, v128.load(row, 32));
    s3 = f32x4.add(s3, v128.load(row, 48));
  }
  v128.store(out, s0);
  v128.store(out, s1, 16);
  v128.store(out, s2, 32);
  v128.store(out, s3, 48);
}

@inline
function weightedSum16(pool: Pool, first: u32, last: u32, out: usize): void {
  const rows = pool.rows;
  const rowOf = pool.rowOf;
  const coefficients = pool.coefficients;
  let s0 = f32x4.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  for (let p = first; p < last; p++) {
    const row = rows + (<usize>load<u32>(rowOf + (<usize>p << 2)) << 6);
    const x = splat(coefficients + (<usize>p << 2));
    s0 = madd(x, v128.load(row), s0);
    s1 = madd(x, v128.load(row, 16), s1);
    s2 = madd(x, v128.load(row, 32), s2);
    s3 = madd(x, v128.load(row, 48), s3);
  }
  v128.store(out, s0);
  v128.store(out, s1, 16);
  v128.store(out, s2, 32);
  v128.store(out, s3, 48);
}

function sumAny(pool: Pool, first: u32, last: u32, out: usize, bytes: usize): void {
  memory.fill(out, 0, bytes);
  for (let p = first; p < last; p++) {
    const x: f32 = pool.coefficients != 0 ? load<f32>(pool.coefficients + (<usize>p << 2)) : 1;
    addScaled(out, x, pool.rows + <usize>load<u32>(pool.rowOf + (<usize>p << 2)) * bytes, bytes);
  }
}

/** out += x · source. */
@inline
export function addScaled(out: usize, x: f32, source: usize, bytes: usize): void {
  const vector = f32x4.splat(x);
  let at: usize = 0;
  for (; at + 16 <= bytes; at += 16) v128.store(out + at, madd(vector, v128.load(source + at), v128.load(out + at)));
  for (; at < bytes; at += 4) store<f32>(out + at, load<f32>(out + at) + x * load<f32>(source + at));
}

/** What the gradients of per-sample weights are made of. */
@unmanaged
export class Weights {
  rowOf: usize;
  /** Output of each position; 0 stands for one position an output. */
  outputOf: usize;
  dim: u32;
  rows: usize;
  /** Gradient of the outputs [outputs, D]. */
  outputs: usize;
  /** Derivative of each coefficient by its weight [positions]. */
  factors: usize;
  /** Gradients of the weights [positions]. */
  gradients: usize;
}

/** Gradients of the weights of positions [begin, end): factor · ⟨row, gradient of its output⟩. */
export function weightGradients(args: usize, begin: i32, end: i32): void {
  const weights = changetype<Weights>(args);
  const bytes = <usize>weights.dim << 2;
  for (let p = begin; p < end; p++) {
    const at = <usize>p << 2;
    const output = weights.outputOf == 0 ? <u32>p : load<u32>(weights.outputOf + at);
    const row = weights.rows + <usize>load<u32>(weights.rowOf + at) * bytes;
    const gradient = weights.outputs + <usize>output * bytes;
    let sum: f32 = 0;
    for (let i: usize = 0; i < bytes; i += 4) sum += load<f32>(row + i) * load<f32>(gradient + i);
    store<f32>(weights.gradients + at, load<f32>(weights.factors + at) * sum);
  }
}

/** Writes the output of each position from the offsets: units are outputs. */
@unmanaged
export class Expand {
  offsets: usize;
  outputOf: usize;
}

export function expandOffsets(args: usize, begin: i32, end: i32): void {
  const expand = changetype<Expand>(args);
  for (let output = begin; output < end; output++) {
    const last = load<u32>(expand.offsets + (<usize>output << 2), 4);
    for (let p = load<u32>(expand.offsets + (<usize>output << 2)); p < last; p++) {
      store<u32>(expand.outputOf + (<usize>p << 2), output);
    }
  }
}
