import type { Runtime } from "@tt-rec/tensor";
import { type Assertions, allClose } from "@tt-rec/testing";
import type { Bags, EmbeddingBag } from "../src/index.ts";
import { type BatchCase, type Outcome, outcome } from "./bag-cases.ts";

/** The part of a test's assertions in use, so that a page can run the same cases. */
export interface SuiteAssertions extends Assertions {
  is(actual: unknown, expected: unknown, message?: string): unknown;
  deepEqual(actual: unknown, expected: unknown, message?: string): unknown;
}

/** A way to run the kernels. */
export interface Engine {
  readonly simd: "simd" | "relaxed";
  readonly threads: number;
  readonly runtime: Runtime;
}

/** Every engine agrees with the reference within rounding, and with itself on any number of threads to the last bit. */
export async function compareEngines(
  t: SuiteAssertions,
  engines: readonly Engine[],
  reference: Runtime,
  make: (runtime: Runtime) => EmbeddingBag,
  bags: Bags,
  { seed, rule }: Pick<BatchCase, "seed" | "rule">,
): Promise<void> {
  const expected = await outcome(reference, make, bags, seed + 1, rule);
  const bySimd = new Map<string, Outcome>();
  for (const { simd, threads, runtime } of engines) {
    const actual = await outcome(runtime, make, bags, seed + 1, rule);
    const first = bySimd.get(simd);
    if (first !== undefined) {
      t.deepEqual(actual, first, `${simd}, ${threads} threads against 1`);
      continue;
    }
    bySimd.set(simd, actual);
    sameOutcome(t, actual, expected);
  }
}

/** Two outcomes are the same within the rounding of float32. */
export function sameOutcome(t: SuiteAssertions, actual: Outcome, expected: Outcome): void {
  allClose(t, actual.output, expected.output, 1e-5);
  t.is(actual.parts.length, expected.parts.length);
  for (const [i, part] of expected.parts.entries()) {
    t.is(actual.parts[i].parameter, part.parameter);
    t.deepEqual(actual.parts[i].slices, part.slices);
    allClose(t, actual.parts[i].values, part.values, 1e-5);
  }
  allClose(t, [actual.sumOfSquares], [expected.sumOfSquares], 1e-5);
  t.is(actual.weights?.length, expected.weights?.length);
  allClose(t, actual.weights ?? [], expected.weights ?? [], 1e-5);
  t.deepEqual([...actual.state.keys()], [...expected.state.keys()]);
  for (const [name, values] of expected.state) allClose(t, actual.state.get(name) ?? [], values, 1e-5);
}
