import { describeMachine, type Machine, quantile, ratioSummary } from "@tt-rec/testing";
import type { Sample } from "../common/measure.ts";
import type { Lookup, Quantity } from "./quantity.ts";
import { LESS_IS_BETTER, type Row } from "./row.ts";
import type { Measured } from "./run-group.ts";
import { blasName } from "./runtimes.ts";

/** One line of the results file. */
export interface HeadlineResult {
  readonly id: string;
  readonly case: Row["parameters"];
  readonly engine: string;
  readonly phase: string;
  readonly unit: string;
  /** Median, 10th and 90th percentile of our number over the rounds; absent if ours is missing. */
  readonly median?: number;
  readonly p10?: number;
  readonly p90?: number;
  /** Rounds measured. */
  readonly runs: number;
  readonly cpuPerWall?: number;
  readonly otherCores?: number;
  readonly rival?: string;
  /** The rival's number, median over the rounds. */
  readonly rivalMedian?: number;
  readonly ratio?: number;
  readonly ratioMin?: number;
  readonly ratioMax?: number;
  /** Rounds that the ratio is taken from: those in which both were measured and the machine was quiet enough. */
  readonly ratioRuns?: number;
  readonly target?: number;
  /** Whether the target is met; absent if there is none, or no ratio. */
  readonly met?: boolean;
  /** Why there is no number, or nothing to compare it with. */
  readonly missing?: string;
  readonly machine: Machine;
  readonly commit: string;
  readonly date: string;
}

/** Turns the samples of a row into its result; undefined if the row has nothing to say here: see `minRivalMs`. */
export function summarize(row: Row, measured: Measured, commit: string): HeadlineResult | undefined {
  const rounds = measured.rounds.map((samples) => ({ samples, at: (key: string) => samples.get(key) }));
  const values = present(rounds.map(({ at }) => row.ours.of(at)));
  const theirs = present(rounds.map(({ at }) => row.rival?.value.of(at)));
  if (theirs.length > 0 && quantile(theirs, 0.5) < (row.minRivalMs ?? 0)) return undefined;
  const missing = reasonOf([...(row.rival?.value.needs ?? []), ...row.ours.needs], measured);
  const used = present(rounds.map(({ at }) => row.ours.needs.map(at).find((sample) => sample !== undefined)));
  return {
    ...{ id: row.id, case: row.parameters, engine: row.engine, phase: row.phase, unit: row.unit },
    ...(values.length > 0 && { median: quantile(values, 0.5), p10: quantile(values, 0.1), p90: quantile(values, 0.9) }),
    runs: values.length,
    ...medianField(used, "cpuPerWall"),
    ...medianField(used, "otherCores"),
    ...(row.rival && { rival: row.rival.name }),
    ...(theirs.length > 0 && { rivalMedian: quantile(theirs, 0.5) }),
    ...comparison(
      row,
      rounds.map(({ at }) => at),
    ),
    ...(missing !== undefined && { missing }),
    machine: describeMachine(row.engine === "blas" ? blasName() : "off"),
    commit,
    date: new Date().toISOString(),
  };
}

/** Ratio, target and verdict. */
function comparison(
  { ours, rival, unit, target, maxOtherCores = Number.POSITIVE_INFINITY }: Row,
  rounds: readonly Lookup[],
): Partial<HeadlineResult> {
  if (rival === undefined) return {};
  const needs = [...ours.needs, ...rival.value.needs];
  const quiet = rounds.filter((at) => needs.every((key) => (at(key)?.otherCores ?? 0) <= maxOtherCores));
  const ratios = present(
    quiet.map((at) => {
      const [own, other] = [ours.of(at), rival.value.of(at)];
      if (own === undefined || other === undefined) return undefined;
      return LESS_IS_BETTER.has(unit) ? other / own : own / other;
    }),
  );
  const summary = ratioSummary(ratios);
  const met = summary.ratio === undefined || target === undefined ? {} : { met: summary.ratio >= target };
  return { ...summary, ratioRuns: ratios.length, ...(target !== undefined && { target }), ...met };
}

function reasonOf(keys: Quantity["needs"], { missing }: Measured): string | undefined {
  return keys.map((key) => missing.get(key)).find((reason) => reason !== undefined);
}

function medianField(samples: readonly Sample[], name: "cpuPerWall" | "otherCores"): Partial<HeadlineResult> {
  const values = present(samples.map((sample) => sample[name]));
  return values.length === 0 ? {} : { [name]: quantile(values, 0.5) };
}

function present<T>(values: readonly (T | undefined)[]): T[] {
  return values.filter((value): value is T => value !== undefined);
}
