// Rows held as bytes with a scale a row: an element is its byte, −127 to 127, times the scale. All arithmetic here is plain in
// both builds, so that plain TypeScript gives the same bits.
import { SGD } from "./finish";
import { NO_ROW } from "./plan";
import { scaleSlice, Slices } from "./update";

/** Rows as bytes [·, D], and their scales. */
@unmanaged
class Int8Rows {
  bytes: usize;
  scales: usize;
  /** D. */
  dim: u32;
}

/** Rows that are made floats. */
@unmanaged
class Dequantize {
  from: Int8Rows;
  /** Slot of each position, or `NO_ROW`. */
  slots: usize;
  /** Out: the row of each position that has a slot [positions, D]. */
  rows: usize;
  /** Out: the number of that row, which is the position's, or `NO_ROW` [positions]. */
  places: usize;
}

/** Makes floats of the rows of positions [begin, end). */
export function dequantizeRows(args: usize, begin: i32, end: i32): void {
  const to = changetype<Dequantize>(args);
  const from = to.from;
  const dim = <usize>from.dim;
  for (let p = begin; p < end; p++) {
    const at = <usize>p << 2;
    const slot = load<u32>(to.slots + at);
    store<u32>(to.places + at, slot == NO_ROW ? NO_ROW : <u32>p);
    if (slot == NO_ROW) continue;
    const bytes = from.bytes + <usize>slot * dim;
    const scale = load<f32>(from.scales + (<usize>slot << 2));
    const scales = f32x4.splat(scale);
    const row = to.rows + <usize>p * (dim << 2);
    let j: usize = 0;
    for (; j + 4 <= dim; j += 4) v128.store(row + (j << 2), f32x4.mul(floats4(bytes + j), scales));
    for (; j < dim; j++) store<f32>(row + (j << 2), <f32>load<i8>(bytes + j) * scale);
  }
}

/** Four bytes as floats. */
@inline
function floats4(at: usize): v128 {
  const words = i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(v128.load32_zero(at)));
  return f32x4.convert_i32x4_s(words);
}

/** An update of rows by their stacked gradients. */
@unmanaged
class Int8Update {
  rows: Int8Rows;
  /** Slots, gradients and rule; the target of the rule is not used. */
  slices: Slices;
  /** What the rounding of each row in the list is drawn from [count]. */
  keys: usize;
  /** Room for a row as floats, and for a gradient, of each call [count, 2, D]: one that begins at a row has its place. */
  work: usize;
}

/** Updates rows [begin, end) of the list, and rounds them anew. */
export function updateInt8Rows(args: usize, begin: i32, end: i32): void {
  const update = changetype<Int8Update>(args);
  const rows = update.rows;
  const slices = update.slices;
  const finish = slices.finish;
  const dim = <usize>rows.dim;
  const size = dim << 2;
  // One place for all rows of the call, which stays near.
  const row = update.work + <usize>begin * (size << 1);
  for (let i = begin; i < end; i++) {
    const slot = load<u32>(slices.slices + (<usize>i << 2));
    let direction = slices.values + <usize>i * size;
    if (finish.kind != SGD) {
      // The gradients are the caller's.
      scaleSlice(finish, slot, direction, row + size, size);
      direction = row + size;
    }
    const bytes = rows.bytes + <usize>slot * dim;
    const scale = rows.scales + (<usize>slot << 2);
    descend(bytes, load<f32>(scale), finish.rate, direction, row, dim);
    store<f32>(scale, roundRow(row, bytes, dim, load<u32>(update.keys + (<usize>i << 2))));
  }
}

/** row = bytes · scale − rate · direction. */
@inline
function descend(bytes: usize, scale: f32, rate: f32, direction: usize, row: usize, dim: usize): void {
  const scales = f32x4.splat(scale);
  const rates = f32x4.splat(rate);
  let j: usize = 0;
  for (; j + 4 <= dim; j += 4) {
    const step = f32x4.mul(rates, v128.load(direction + (j << 2)));
    v128.store(row + (j << 2), f32x4.sub(f32x4.mul(floats4(bytes + j), scales), step));
  }
  for (; j < dim; j++) {
    const step = rate * load<f32>(direction + (j << 2));
    store<f32>(row + (j << 2), <f32>load<i8>(bytes + j) * scale - step);
  }
}

/** What the drawing of the next element's number is begun from. */
const STRIDE: u32 = 0x9e3779b9;

/**
 * Rounds a row to multiples of a 127th of its largest element, up as often as it is above the next lower one: right in the mean.
 * Returns the scale. What an element is rounded by follows from the key of the row and its column.
 */
function roundRow(row: usize, bytes: usize, dim: usize, key: u32): f32 {
  let largest: f32 = 0;
  let most = f32x4.splat(0);
  let j: usize = 0;
  for (; j + 4 <= dim; j += 4) most = f32x4.max(most, f32x4.abs(v128.load(row + (j << 2))));
  for (; j < dim; j++) largest = max(largest, abs(load<f32>(row + (j << 2))));
  largest = max(largest, max(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1)));
  largest = max(largest, max(f32x4.extract_lane(most, 2), f32x4.extract_lane(most, 3)));
  const scale: f32 = largest / 127;
  if (scale == 0) {
    memory.fill(bytes, 0, dim);
    return 0;
  }
  const scales = f32x4.splat(scale);
  let counter = i32x4.add(i32x4.splat(key), i32x4(0, STRIDE, STRIDE * 2, STRIDE * 3));
  for (j = 0; j + 4 <= dim; j += 4) {
    const rounded = round4(f32x4.div(v128.load(row + (j << 2)), scales), counter);
    const narrow = i16x8.narrow_i32x4_s(rounded, rounded);
    v128.store32_lane(bytes + j, i8x16.narrow_i16x8_s(narrow, narrow), 0);
    counter = i32x4.add(counter, i32x4.splat(STRIDE * 4));
  }
  // The rest as vectors of one, in which the other lanes do not count.
  for (; j < dim; j++) {
    const rounded = round4(f32x4.splat(load<f32>(row + (j << 2)) / scale), i32x4.splat(key + <u32>j * STRIDE));
    store<i8>(bytes + j, <i8>i32x4.extract_lane(rounded, 0));
  }
  return scale;
}

/** Four quotients rounded up where what is above the next lower integer exceeds the number that is drawn from the counter. */
@inline
function round4(quotients: v128, counter: v128): v128 {
  const within = f32x4.pmin(f32x4.pmax(quotients, f32x4.splat(-127)), f32x4.splat(127));
  const lower = f32x4.floor(within);
  const drawn = f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_u(mix4(counter), 8)), f32x4.splat(<f32>(1.0 / 16777216)));
  const up = f32x4.lt(drawn, f32x4.sub(within, lower));
  return i32x4.sub(i32x4.trunc_sat_f32x4_s(lower), up);
}

/** The finaliser of MurmurHash3. */
@inline
function mix4(words: v128): v128 {
  let h = i32x4.mul(v128.xor(words, i32x4.shr_u(words, 16)), i32x4.splat(0x85ebca6b));
  h = i32x4.mul(v128.xor(h, i32x4.shr_u(h, 13)), i32x4.splat(0xc2b2ae35));
  return v128.xor(h, i32x4.shr_u(h, 16));
}
