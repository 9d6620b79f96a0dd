import type { Dlrm, StepEvent } from "@tt-rec/dlrm";
import type { CurvePoint } from "./run-record.ts";

/** Points of a finished curve: enough for a chart, few enough for a report. */
const TARGET_POINTS = 100;

/** How fast a run goes. */
export interface Pace {
  /** Training samples a second since the start, reading and evaluations included. */
  readonly samplesPerSecond: number;
  /** Seconds to the end of the run at this pace; absent where its end is not known. */
  readonly secondsLeft?: number;
}

/** Averages losses and hit rates over neighbouring steps, and tells the pace. */
export class CurveRecorder {
  readonly #points: CurvePoint[] = [];
  readonly #stepTimes: number[] = [];
  readonly #totalSteps: number;
  readonly #stepsPerPoint: number;
  readonly #started = performance.now();
  #samples = 0;
  #lossSum = 0;
  #steps = 0;
  #hits = 0;
  #lookups = 0;

  constructor(totalSteps: number) {
    this.#totalSteps = totalSteps;
    this.#stepsPerPoint = Math.max(1, Math.ceil(totalSteps / TARGET_POINTS));
  }

  /** Records a step; returns a point where one is complete. */
  record({ progress: { step }, loss, samples, milliseconds }: StepEvent, model: Dlrm): (CurvePoint & Pace) | undefined {
    this.#stepTimes.push(milliseconds);
    this.#samples += samples;
    this.#lossSum += loss;
    if (++this.#steps < this.#stepsPerPoint) return undefined;
    const { hits, lookups } = cacheTotals(model);
    const hitRate = lookups > this.#lookups ? { hitRate: (hits - this.#hits) / (lookups - this.#lookups) } : {};
    const point: CurvePoint = { step, loss: this.#lossSum / this.#steps, ...hitRate };
    this.#points.push(point);
    this.#lossSum = 0;
    this.#steps = 0;
    this.#hits = hits;
    this.#lookups = lookups;
    return { ...point, ...this.#pace(step) };
  }

  /** The points so far. */
  get points(): readonly CurvePoint[] {
    return this.#points;
  }

  /** Median wall time of a step in milliseconds; 0 before the first. */
  get medianStepMilliseconds(): number {
    const sorted = Float64Array.from(this.#stepTimes).sort();
    return sorted[sorted.length >> 1] ?? 0;
  }

  #pace(step: number): Pace {
    const seconds = (performance.now() - this.#started) / 1000;
    const secondsLeft = (seconds / this.#stepTimes.length) * (this.#totalSteps - step);
    return { samplesPerSecond: this.#samples / seconds, ...(Number.isFinite(secondsLeft) && { secondsLeft }) };
  }
}

/** Hits and lookups of all caches of a model so far. */
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
