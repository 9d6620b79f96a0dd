// Least-significant-digit radix sort of pairs: 8 bytes each, the key in the high word, its position in the low one.

/** Widest digit of a pass. */
const WIDE: i32 = 12;

/** Bytes of counters that a sort may need: those of the widest digit. */
export const COUNTER_BYTES: i32 = (1 << WIDE) * 4;

/**
 * The number of passes that is cheapest. Wider digits need fewer, but clearing and summing their counters costs more than a
 * pass over few pairs; a counter takes about half the time of a pair.
 */
@inline
function bestPasses(n: i32, bits: i32): i32 {
  let best = (bits + WIDE - 1) / WIDE;
  let least = i32.MAX_VALUE;
  for (let passes = best; passes <= 5; passes++) {
    const cost = passes * (2 * n + (1 << ((bits + passes - 1) / passes)));
    if (cost >= least) break;
    least = cost;
    best = passes;
  }
  return best;
}

/** Sorts n pairs whose keys have `bits` bits; stable. Returns where the result lies: `a` or the spare array `b`. */
export function sortPairs(a: usize, b: usize, n: i32, bits: i32, counters: usize): usize {
  if (bits == 0) return a;
  const passes = bestPasses(n, bits);
  const width = (bits + passes - 1) / passes;
  const bytes = <usize>4 << width;
  let from = a;
  let to = b;
  for (let shift = 32; shift < 32 + passes * width; shift += width) {
    countDigits(from, n, shift, width, counters);
    let sum: u32 = 0;
    for (let at = counters; at < counters + bytes; at += 4) {
      const count = load<u32>(at);
      store<u32>(at, sum);
      sum += count;
    }
    moveByDigit(from, n, shift, width, counters, to);
    const last = from;
    from = to;
    to = last;
  }
  return from;
}

function countDigits(from: usize, n: i32, shift: i32, width: i32, counters: usize): void {
  const bytes = <usize>4 << width;
  const mask = (1 << width) - 1;
  memory.fill(counters, 0, bytes);
  const stop = from + (<usize>n << 3);
  for (; from < stop; from += 8) {
    const counter = counters + (<usize>(<u32>(load<u64>(from) >> <u64>shift) & mask) << 2);
    store<u32>(counter, load<u32>(counter) + 1);
  }
}

function moveByDigit(from: usize, n: i32, shift: i32, width: i32, counters: usize, to: usize): void {
  const mask = (1 << width) - 1;
  const stop = from + (<usize>n << 3);
  for (; from < stop; from += 8) {
    const pair = load<u64>(from);
    const counter = counters + (<usize>(<u32>(pair >> <u64>shift) & mask) << 2);
    const place = load<u32>(counter);
    store<u32>(counter, place + 1);
    store<u64>(to + (<usize>place << 3), pair);
  }
}

/** Bits of the largest key below `extent`. */
export function bitsBelow(extent: u32): i32 {
  return extent <= 1 ? 0 : 32 - <i32>clz(extent - 1);
}
