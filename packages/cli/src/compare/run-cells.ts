import { setImmediate } from "node:timers/promises";
import { type EvaluationPlan, replaceRareIds } from "@tt-rec/dlrm";
import { type Runtime, sha256 } from "@tt-rec/tensor";
import type { TrainSettings } from "../options/train-options.ts";
import type { Interruption } from "../run/interruption.ts";
import { trainingConfig } from "../run/training-config.ts";
import { type Cell, type ComparisonPlan, cellsOf, type Rates, trialsOf } from "./cells.ts";
import type { DataRole } from "./methods.ts";
import { type CellModel, modelOfCell } from "./model-of-cell.ts";
import { dictionaryBytesOf, type PreparedData } from "./prepared-data.ts";
import type { Result } from "./result.ts";
import type { ResultsFile } from "./results-file.ts";
import { trainOnce } from "./train-once.ts";

/** Seed of the trials, apart from those of the runs. */
const TRIAL_SEED = 1000;

/** What all trainings of a comparison share. */
export interface CellRunner {
  readonly runtime: Runtime;
  readonly plan: ComparisonPlan;
  /** Share of a budget that caches get. */
  readonly cachePart: number;
  /** The base model and how it is trained. */
  readonly base: TrainSettings;
  readonly file: ResultsFile;
  readonly interruption: Interruption;
  /** Called with each finished training; `isNew` is false for one of an earlier call. */
  readonly onResult: (result: Result, isNew: boolean) => void;
}

/** How many trainings the cells of a data set are. */
export function countTrainings(plan: ComparisonPlan, role: DataRole): number {
  return cellsOf(plan, role).length * (trialsOf(plan).length + plan.seeds.length);
}

/**
 * Tunes and runs all cells of a data set; what the file has already is not done again. Ends early after a signal. Budgets are shares
 * of tables of `uncompressedRows` rows in all.
 */
export async function runCells(runner: CellRunner, data: PreparedData, role: DataRole, uncompressedRows: number): Promise<void> {
  const { plan, base, cachePart, interruption } = runner;
  for (const cell of cellsOf(plan, role)) {
    const model = modelOfCell(cell, data, uncompressedRows, base, cachePart);
    const trials: Result[] = [];
    for (const rates of trialsOf(plan)) {
      if (interruption.exitCode !== undefined) return;
      trials.push(await trainCell(runner, data, cell, model, "trial", rates, TRIAL_SEED));
    }
    const { rates } = trials.reduce((best, trial) => (isBetter(trial, best, base) ? trial : best));
    for (const seed of plan.seeds) {
      if (interruption.exitCode !== undefined) return;
      await trainCell(runner, data, cell, model, "run", rates, seed);
    }
  }
}

/** Whether a trial's validation metric beats another's; one that diverged beats none. */
function isBetter({ validation: a }: Result, { validation: b }: Result, { bestBy }: TrainSettings): boolean {
  if (a === null || b === null) return a !== null;
  return bestBy === "auc" || bestBy === "accuracy" ? a[bestBy] > b[bestBy] : a.logLoss < b.logLoss;
}

async function trainCell(
  { runtime, base, file, onResult }: CellRunner,
  data: PreparedData,
  cell: Cell,
  { config, sized, uncompressedBytes, budgetBytes }: CellModel,
  kind: Result["kind"],
  rates: Rates,
  seed: number,
): Promise<Result> {
  const settings: TrainSettings = {
    ...{ ...base, seed, learningRate: rates.mlp },
    ...{ embeddingLearningRate: rates.tables, ttLearningRate: rates.tables, cacheLearningRate: rates.tables },
  };
  const { bestBy, patience, minDelta, evaluateEvery, unknownShare, rareAtMost } = base;
  const training = trainingConfig(settings);
  const metric = bestBy === "none" ? "logLoss" : bestBy;
  const plan: EvaluationPlan = {
    split: "validation",
    ...(evaluateEvery > 0 && { everySteps: evaluateEvery }),
    stopping: { metric, minDelta, ...(patience > 0 && { patience }) },
  };
  const { name, idOrder, testRows, digest } = data;
  const identity = JSON.stringify([digest, cell.numbering, config, training, plan, unknownShare, rareAtMost, kind]);
  const key = (await sha256(new TextEncoder().encode(identity))).slice(0, 16);
  const same = file.results.filter((result) => result.key === key);
  const isOfCell = ({ method, budget }: Result): boolean => method === cell.method && budget === cell.budget;
  const own = same.find(isOfCell);
  // A method at its least is the same model under all smaller budgets: it is trained once, and has a line for each.
  const known =
    own ?? (same.length > 0 ? await file.add({ ...same[0], ...cell, budgetBytes, isReached: sized.isReached }) : undefined);
  if (known !== undefined) {
    onResult(known, false);
    return known;
  }
  // Training never waits for anything, so signals would not be served.
  await setImmediate();
  const started = performance.now();
  const plain = data.source(cell.numbering);
  const counts = data.countsOf(cell.numbering);
  const source = unknownShare === 0 ? plain : replaceRareIds(plain, { counts, share: unknownShare, seed, atMost: rareAtMost });
  const { step, validation, test, bytes } = await trainOnce(runtime, source, config, training, plan, kind === "run");
  const hotRows = (table: number): number => {
    const { embedding } = config.tables[table];
    return embedding.kind === "hot-rows" ? embedding.rows : 0;
  };
  const dictionary = dictionaryBytesOf(cell, data, hotRows);
  const result = await file.add(
    {
      ...{ key, kind, data: name, idOrder, testRows, ...cell, rates, seed, budgetBytes, isReached: sized.isReached },
      ...{ comparedBytes: sized.bytes, uncompressedBytes },
      scoring: { ...bytes.scoring, dictionary },
      training: { ...bytes.training, dictionary },
      ...{ step, validation: validation ?? null, ...(test && { test: test.metrics }) },
      seconds: (performance.now() - started) / 1000,
      ...{ engine: runtime.kernels.engine, threads: runtime.threads },
    },
    test?.logits,
  );
  onResult(result, true);
  return result;
}
