import { compareAreas } from "@tt-rec/dlrm";
import type { Result } from "./result.ts";
import { totalBytes } from "./result.ts";
import { type Interval, meanInterval } from "./student.ts";

/** A row of the comparison: a cell, over its seeds. */
export interface SummaryRow {
  readonly data: string;
  readonly testRows: string;
  readonly method: string;
  /** Numbering of the ids: that of the data set, or the one that was made of it. */
  readonly order: string;
  readonly embeddingDim: number;
  readonly budget: number | null;
  readonly isReached: boolean;
  readonly comparedBytes: number;
  readonly uncompressedBytes: number;
  readonly scoringBytes: number;
  readonly trainingBytes: number;
  readonly dictionaryBytes: number;
  readonly seeds: number;
  /** Means over the seeds, with the 95 % interval of the mean. */
  readonly auc: Interval;
  readonly logLoss: Interval;
  /** Mean AUC less that of the uncompressed model on the same rows and columns, with DeLong's 95 % interval; absent without one. */
  readonly againstDense?: { readonly difference: number; readonly interval: readonly [number, number] };
}

/** Joins the runs of each cell. `scoresOf` reads test logits, `labelsOf` the labels of test rows, where they are at hand. */
export async function summarize(
  results: readonly Result[],
  scoresOf: (result: Result) => Promise<Float32Array>,
  labelsOf: (testRows: string) => Float32Array | undefined,
): Promise<SummaryRow[]> {
  const groups = new Map<string, Result[]>();
  for (const result of results) {
    if (result.kind !== "run" || result.test === undefined) continue;
    const { data, testRows, method, idOrder, numbering, embeddingDim, budget } = result;
    const key = JSON.stringify([data, testRows, method, idOrder, numbering, embeddingDim, budget]);
    groups.set(key, [...(groups.get(key) ?? []), result]);
  }
  const cells = [...groups.values()];
  const rows: SummaryRow[] = [];
  for (const runs of cells) {
    const [first] = runs;
    const labels = labelsOf(first.testRows);
    const dense = cells.find(
      ([other]) => other.method === "dense" && other.testRows === first.testRows && other.embeddingDim === first.embeddingDim,
    );
    const compared = labels !== undefined && dense !== undefined && dense !== runs;
    const scores = async (of: readonly Result[]): Promise<Float32Array[]> => Promise.all(of.map(scoresOf));
    const areas = compared && compareAreas(labels, await scores(dense), await scores(runs));
    rows.push({
      ...rowOf(runs),
      ...(areas && { againstDense: { difference: areas.difference, interval: areas.interval } }),
    });
  }
  return rows.sort(
    (a, b) =>
      a.testRows.localeCompare(b.testRows) ||
      a.embeddingDim - b.embeddingDim ||
      (a.budget ?? 0) - (b.budget ?? 0) ||
      b.auc.mean - a.auc.mean,
  );
}

function rowOf(runs: readonly Result[]): SummaryRow {
  const [first] = runs;
  const { data, testRows, method, numbering, idOrder, embeddingDim, budget, isReached, comparedBytes, uncompressedBytes } = first;
  return {
    ...{ data, testRows, method, order: numbering === "prepared" ? idOrder : numbering, embeddingDim, budget },
    ...{ isReached, comparedBytes, uncompressedBytes },
    scoringBytes: totalBytes(first.scoring),
    trainingBytes: totalBytes(first.training),
    dictionaryBytes: first.scoring.dictionary,
    seeds: runs.length,
    auc: meanInterval(runs.map(({ test }) => test?.auc ?? Number.NaN)),
    logLoss: meanInterval(runs.map(({ test }) => test?.logLoss ?? Number.NaN)),
  };
}
