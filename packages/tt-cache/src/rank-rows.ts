import { inBlocks, type SpreadWork } from "./spread-work.ts";

/** Rows and their counts, the most counted first, equal ones by the smaller id. */
export interface RankedRows {
  /** Row ids. */
  readonly ids: Uint32Array;
  /** The count of each. */
  readonly counts: Uint32Array;
}

/** Bits that a pass of the radix sort looks at. */
const BITS = 11;
const MASK = 2 ** BITS - 1;

/** Sorts distinct ids by their counts, the most counted first, then by id: a radix sort in passes from the lowest digit of the ids up. */
export function* rankRows(ids: Uint32Array, counts: Uint32Array): SpreadWork<RankedRows> {
  let from: RankedRows = { ids, counts };
  let spare: RankedRows | undefined;
  for (const word of ["ids", "counts"] as const) {
    for (let shift = 0; shift < 32; shift += BITS) {
      // Large counts come first.
      const flip = word === "counts" ? MASK : 0;
      const starts = new Uint32Array(MASK + 1);
      const keys = from[word];
      yield* inBlocks(ids.length, 1, (begin, end) => countDigits(keys, begin, end, shift, flip, starts));
      if (starts.includes(ids.length)) continue;
      accumulate(starts);
      const [source, target]: RankedRows[] = [from, spare ?? emptyLike(ids)];
      yield* inBlocks(ids.length, 3, (begin, end) => scatter(source, target, keys, begin, end, shift, flip, starts));
      // What was given is not written to.
      spare = source.ids === ids ? undefined : source;
      from = target;
    }
  }
  return from;
}

function emptyLike({ length }: Uint32Array): RankedRows {
  return { ids: new Uint32Array(length), counts: new Uint32Array(length) };
}

function countDigits(keys: Uint32Array, begin: number, end: number, shift: number, flip: number, bins: Uint32Array): void {
  for (let i = begin; i < end; i++) bins[((keys[i] >>> shift) & MASK) ^ flip]++;
}

/** Turns sizes into where each digit begins. */
function accumulate(bins: Uint32Array): void {
  let sum = 0;
  for (let digit = 0; digit < bins.length; digit++) {
    const size = bins[digit];
    bins[digit] = sum;
    sum += size;
  }
}

function scatter(
  source: RankedRows,
  target: RankedRows,
  keys: Uint32Array,
  begin: number,
  end: number,
  shift: number,
  flip: number,
  next: Uint32Array,
): void {
  for (let i = begin; i < end; i++) {
    const at = next[((keys[i] >>> shift) & MASK) ^ flip]++;
    target.ids[at] = source.ids[i];
    target.counts[at] = source.counts[i];
  }
}
