import type { Dlrm } from "@tt-rec/dlrm";
import type { CurvePoint } from "./run-record.ts";

/** Points of a finished curve: enough for a chart, few enough for a report. */
const TARGET_POINTS = 100;

/** Averages losses and hit rates over neighbouring steps. */
export class CurveRecorder {
  readonly #points: CurvePoint[] = [];
  readonly #stepTimes: number[] = [];
  readonly #stepsPerPoint: number;
  #lossSum = 0;
  #steps = 0;
  #hits = 0;
  #lookups = 0;

  constructor(totalSteps: number) {
    this.#stepsPerPoint = Math.max(1, Math.ceil(totalSteps / TARGET_POINTS));
  }

  /** Records a step. */
  record(step: number, loss: number, milliseconds: number, model: Dlrm): CurvePoint | undefined {
    this.#stepTimes.push(milliseconds);
    this.#lossSum += loss;
    if (++this.#steps < this.#stepsPerPoint) return undefined;
    const { hits, lookups } = cacheTotals(model);
    const hitRate = lookups > this.#lookups ? { hitRate: (hits - this.#hits) / (lookups - this.#lookups) } : {};
    const point: CurvePoint = { step, loss: this.#lossSum / this.#steps, ...hitRate };
    this.#points.push(point);
    [this.#lossSum, this.#steps, this.#hits, this.#lookups] = [0, 0, hits, lookups];
    return point;
  }

  /** The points so far. */
  get points(): readonly CurvePoint[] {
    return this.#points;
  }

  /** Median wall time of a step in milliseconds. */
  get medianStepMilliseconds(): number {
    const sorted = Float64Array.from(this.#stepTimes).sort();
    return sorted[Math.floor(sorted.length / 2)] ?? 0;
  }
}

/** Hits and lookups of all caches of a model. */
export function cacheTotals(model: Dlrm): { hits: number; lookups: number } {
  const totals = { hits: 0, lookups: 0 };
  for (const { cache } of model.tables) {
    if (cache === undefined) continue;
    const { hits, lookups } = cache.metrics;
    totals.hits += hits;
    totals.lookups += lookups;
  }
  return totals;
}
