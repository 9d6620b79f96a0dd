/**
 * Work that is spread over steps: it yields how much was done since it last did, where 1 is about what a look at a number of an array
 * takes. It must change nothing that it reads before its last piece, so that it can be begun anew and come to the same.
 */
export type SpreadWork<T> = Generator<number, T, undefined>;

/** Numbers that are looked at in one piece. */
const BLOCK = 1024;

/** Cost of finding an id in a hash table, by a kernel. */
export const SEARCH = 4;

/** Does a piece of work for each block of [0, length); an element of it costs `cost`. */
export function* inBlocks(length: number, cost: number, work: (begin: number, end: number) => void): SpreadWork<void> {
  for (let begin = 0; begin < length; begin += BLOCK) {
    const end = Math.min(length, begin + BLOCK);
    work(begin, end);
    yield cost * (end - begin);
  }
}

/** Goes on with work until it has cost `budget` or is at its end. Returns what is left of the budget, and the result at the end. */
export function advance<T>(work: SpreadWork<T>, budget: number): { left: number; pieces: number; result?: T } {
  let [left, pieces] = [budget, 0];
  while (left > 0) {
    const piece = work.next();
    if (piece.done) return { left, pieces, result: piece.value };
    left -= piece.value;
    pieces++;
  }
  return { left, pieces };
}

/** Does all of some work at once. */
export function finish<T>(work: SpreadWork<T>): T {
  for (;;) {
    const piece = work.next();
    if (piece.done) return piece.value;
  }
}
