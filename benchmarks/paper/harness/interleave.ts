import { type Sample, timed } from "../../common/measure.ts";
import type { FigureContext, Mode } from "./figure.ts";

/** Rounds, and time for a case in each, in ms. */
const EFFORT: Readonly<Record<Mode, { readonly rounds: number; readonly budgetMs: number }>> = {
  tiny: { rounds: 1, budgetMs: 20 },
  quick: { rounds: 3, budgetMs: 150 },
  full: { rounds: 7, budgetMs: 500 },
};

/** A case: what is called and timed, or what times itself, such as another process. */
export type Case = (() => unknown) | { readonly time: (budgetMs: number) => Promise<Sample> };

/**
 * Times cases in turn, round by round, so that a machine whose speed drifts treats them alike; a first round warms up. Gives the
 * samples of each case by its name.
 */
export async function interleave(
  cases: ReadonlyMap<string, Case>,
  { mode, progress }: FigureContext,
): Promise<Map<string, Sample[]>> {
  const { rounds, budgetMs } = EFFORT[mode];
  const samples = new Map([...cases.keys()].map((name): [string, Sample[]] => [name, []]));
  const names = [...cases];
  for (let round = 0; round <= rounds; round++) {
    // Each round begins at another end: who comes first, and after whom, has its price.
    for (const [name, run] of round % 2 === 0 ? names : names.toReversed()) {
      const budget = round === 0 ? budgetMs / 3 : budgetMs;
      const sample = await (typeof run === "function" ? timed(run, budget) : run.time(budget));
      if (round > 0) samples.get(name)?.push(sample);
    }
    progress(round === 0 ? `warmed up ${names.length} cases` : `round ${round} of ${rounds}`);
  }
  return samples;
}

/** Processor times of a call, in ms, one a round. */
export function cpuTimes(samples: readonly Sample[] | undefined): number[] {
  return (samples ?? []).map(({ cpu }) => cpu ?? Number.NaN);
}

/** Wall times of a call, in ms, one a round. */
export function wallTimes(samples: readonly Sample[] | undefined): number[] {
  return (samples ?? []).map(({ wall }) => wall ?? Number.NaN);
}

/** Quotients of two lists, round by round. */
export function quotients(numerators: readonly number[], denominators: readonly number[]): number[] {
  return numerators.map((value, round) => value / denominators[round]);
}
