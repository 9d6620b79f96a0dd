/** The part of a test's assertions that `allClose` needs. */
export interface Assertions {
  /** Counts a passed assertion. */
  pass(): unknown;
  /** Fails the test with a sentence. */
  fail(message: string): unknown;
}

/** Asserts that max|a − b| / max|b| is at most `tolerance`; on failure it names the worst element. */
export function allClose(t: Assertions, actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  if (actual.length !== expected.length) {
    t.fail(`${actual.length} elements, expected ${expected.length}`);
    return;
  }
  let worst = 0;
  let largest = 0;
  let difference = 0;
  for (let i = 0; i < expected.length; i++) {
    const delta = Math.abs(actual[i] - expected[i]);
    largest = Math.max(largest, Math.abs(expected[i]));
    // The negation also catches NaN on either side.
    if (!(delta <= difference)) {
      difference = delta;
      worst = i;
      if (Number.isNaN(delta)) break;
    }
  }
  if (difference <= tolerance * largest) t.pass();
  else
    t.fail(
      `element ${worst} is ${actual[worst]}, expected ${expected[worst]}: ${difference / largest} of the largest, ${tolerance} allowed`,
    );
}
