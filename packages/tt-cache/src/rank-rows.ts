import { inBlocks, MOVE, type SpreadWork } from "./spread-work.ts";

/** Rows and their counts, the most counted first, equal ones by the smaller id. */
export interface RankedRows {
  /** Row ids. */
  readonly ids: Uint32Array;
  /** The count of each. */
  readonly counts: Uint32Array;
}

/** Sorts distinct ids by their counts, the most counted first, then by id: a radix sort in passes from the lowest digit of the ids up. */
export function* rankRows(ids: Uint32Array, counts: Uint32Array): SpreadWork<RankedRows> {
  // A pass looks at every digit that there could be, which must not be many more than there are ids.
  const bits = ids.length < 4096 ? 8 : 11;
  const mask = 2 ** bits - 1;
  let from: RankedRows = { ids, counts };
  let spare: RankedRows | undefined;
  for (const word of ["ids", "counts"] as const) {
    for (let shift = 0; shift < 32; shift += bits) {
      // Large counts come first.
      const digit = { shift, mask, flip: word === "counts" ? mask : 0 };
      const starts = new Uint32Array(mask + 1);
      const keys = from[word];
      yield* inBlocks(ids.length, (begin, end) => countDigits(keys, begin, end, digit, starts));
      if (starts.includes(ids.length)) continue;
      accumulate(starts);
      const [source, target]: RankedRows[] = [from, spare ?? emptyLike(ids)];
      yield* inBlocks(ids.length, (begin, end) => scatter(source, target, keys, begin, end, digit, starts), MOVE);
      // What was given is not written to.
      spare = source.ids === ids ? undefined : source;
      from = target;
    }
  }
  return from;
}

/** Where a digit is in a number, and whether large ones come first. */
interface Digit {
  readonly shift: number;
  readonly mask: number;
  readonly flip: number;
}

function emptyLike({ length }: Uint32Array): RankedRows {
  return { ids: new Uint32Array(length), counts: new Uint32Array(length) };
}

function countDigits(keys: Uint32Array, begin: number, end: number, { shift, mask, flip }: Digit, bins: Uint32Array): void {
  for (let i = begin; i < end; i++) bins[((keys[i] >>> shift) & mask) ^ flip]++;
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
  { shift, mask, flip }: Digit,
  next: Uint32Array,
): void {
  const { ids, counts } = source;
  const { ids: targetIds, counts: targetCounts } = target;
  for (let i = begin; i < end; i++) {
    const at = next[((keys[i] >>> shift) & mask) ^ flip]++;
    targetIds[at] = ids[i];
    targetCounts[at] = counts[i];
  }
}
