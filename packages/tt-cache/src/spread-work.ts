/**
 * Work that is spread over steps: it yields about how many nanoseconds it took since it last did. They are estimated from what was done,
 * and not measured, so that the same work is always spread alike. It must change nothing that it reads before its last piece, so that
 * it can be begun anew and come to the same.
 */
export type SpreadWork<T> = Generator<number, T, undefined>;

/** Numbers that are looked at in one piece, and places of a counter that a kernel looks at. */
const BLOCK = 1024;
const PLACES = 4096;

/** Nanoseconds of a piece, however small it is: mostly the time to get code and numbers from where the step has left them. */
const PIECE = 6000;

/**
 * Nanoseconds for a number of an array, a place of a counter, a number that goes elsewhere, and an id that is found in a hash table,
 * in one that does not stay in the processor's second cache as well.
 */
const LOOK = 1;
const PLACE = 3;
export const MOVE = 6;
export const SEARCH = 16;
export const FAR_SEARCH = 40;

/** Does a piece of work for each block of [0, length); an element of it takes `cost`. */
export function* inBlocks(
  length: number,
  work: (begin: number, end: number) => void,
  cost: number = LOOK,
  block: number = BLOCK,
): SpreadWork<void> {
  for (let begin = 0; begin < length; begin += block) {
    const end = Math.min(length, begin + block);
    work(begin, end);
    yield PIECE + cost * (end - begin);
  }
}

/** The same for the places of a counter, in blocks that are large enough for a kernel. */
export function inPlaces(length: number, work: (begin: number, end: number) => void): SpreadWork<void> {
  return inBlocks(length, work, PLACE, PLACES);
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
