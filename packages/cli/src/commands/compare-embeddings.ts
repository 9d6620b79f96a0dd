import { basename, dirname } from "node:path";
import { nodeDirectory } from "@tt-rec/tensor/node";
import { type PreparedData, prepareData } from "../compare/prepared-data.ts";
import type { Result } from "../compare/result.ts";
import { ResultsFile } from "../compare/results-file.ts";
import { type CellRunner, countTrainings, runCells } from "../compare/run-cells.ts";
import { type SummaryRow, summarize } from "../compare/summarize.ts";
import type { ComparisonFlags } from "../options/comparison-options.ts";
import type { MachineSettings } from "../options/machine-options.ts";
import type { TrainSettings } from "../options/train-options.ts";
import { formatBytes, formatRatio, formatTable } from "../output/format.ts";
import type { ProgressBar, Reporter } from "../output/reporter.ts";
import { watchSignals } from "../run/interruption.ts";
import { withRuntime } from "../run/with-runtime.ts";

/** Where a comparison reads and writes. */
export interface ComparisonPaths {
  /** Folders of prepared data sets. */
  readonly datasets: readonly string[];
  /** Folder of the results; those that it has are not made again. */
  readonly out: string;
  /** HTML page to write. */
  readonly report: string | undefined;
}

const HEAD = ["embedding", "ids", "asked", "bytes", "got", "model", "in training", "AUC", "log-loss", "AUC less dense"];

/**
 * Trains the ways of storing the largest tables at equal bytes, each tuned by as many trials on the validation rows, and prints
 * the means over the seeds. A signal ends it after the training that is under way; the next call goes on. Returns the exit code.
 */
export async function compareEmbeddings(
  { datasets, out, report }: ComparisonPaths,
  flags: ComparisonFlags,
  base: TrainSettings,
  machine: MachineSettings,
  reporter: Reporter,
): Promise<number> {
  const file = await ResultsFile.open(out);
  const interruption = watchSignals();
  const firsts = new Map<string, { readonly labels: Float32Array; readonly rows: number }>();
  try {
    await withRuntime(machine, reporter, async (runtime) => {
      for (const folder of datasets) {
        // One data set in memory at a time.
        const data = await prepareData(folder, flags.largest);
        const first = firsts.get(data.testRows);
        const role = data.idOrder === "hash" ? "hashed" : first === undefined ? "first" : "further";
        const { labels, rows } = first ?? { labels: data.testLabels, rows: comparedRows(data) };
        firsts.set(data.testRows, { labels, rows });
        if (interruption.exitCode !== undefined) return;
        const bar = reporter.bar(data.name, countTrainings(flags, role), "trainings");
        const onResult = resultTeller(bar, data, reporter);
        const { cachePart } = flags;
        const runner: CellRunner = { runtime, plan: flags, cachePart, base, file, interruption, onResult };
        await runCells(runner, data, role, rows).finally(() => bar.stop());
      }
    });
    const rows = await summarize(
      file.results,
      (result) => file.scoresOf(result),
      (testRows) => firsts.get(testRows)?.labels,
    );
    printRows(rows, reporter);
    if (report !== undefined) await writeReport(rows, report, reporter);
  } finally {
    interruption.stop();
    await file.close();
  }
  return interruption.exitCode ?? 0;
}

function comparedRows({ compared, shape }: PreparedData): number {
  return compared.reduce((sum, t) => sum + shape.cardinalities[t], 0);
}

/** Tells of finished trainings; those of an earlier call move the bar only. */
function resultTeller(bar: ProgressBar, { name }: PreparedData, reporter: Reporter): (result: Result, isNew: boolean) => void {
  let done = 0;
  return (result, isNew) => {
    bar.update(++done, `${result.method} ${result.budget ?? ""}`);
    if (!isNew) return;
    reporter.event("training", result);
    if (result.kind !== "run") return;
    const { method, budget, embeddingDim, seed, test, seconds } = result;
    const size = budget === null ? "" : ` at ${budget}x`;
    bar.log(
      `${name}, D = ${embeddingDim}: ${method}${size}, seed ${seed}: AUC ${test?.auc.toFixed(5) ?? "–, it diverged"}, ${seconds.toFixed(1)} s`,
    );
  };
}

function printRows(rows: readonly SummaryRow[], reporter: Reporter): void {
  for (const group of groupsOf(rows)) {
    const [{ data, embeddingDim, uncompressedBytes }] = group;
    reporter.line(`${data}, D = ${embeddingDim}: compared tables ${formatBytes(uncompressedBytes)} uncompressed`);
    reporter.line(formatTable(HEAD, group.map(cellsOfRow)));
  }
  reporter.line("AUC and log-loss: test rows, mean over seeds ± half of its 95 % interval; * the least that the method takes");
  for (const row of rows) reporter.event("summary", row);
}

/** Rows of one table: the same test rows and columns. */
function groupsOf(rows: readonly SummaryRow[]): SummaryRow[][] {
  const groups = new Map<string, SummaryRow[]>();
  for (const row of rows) {
    const key = `${row.testRows} ${row.embeddingDim}`;
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()];
}

function cellsOfRow(row: SummaryRow): string[] {
  const { method, order, budget, isReached, comparedBytes, uncompressedBytes, scoringBytes, trainingBytes } = row;
  const { auc, logLoss, againstDense, seeds } = row;
  const number = ({ mean, margin }: { mean: number; margin: number }): string =>
    seeds < 2 ? mean.toFixed(5) : `${mean.toFixed(5)} ± ${margin.toFixed(5)}`;
  const signed = (value: number): string => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(5)}`;
  return [
    method,
    order,
    budget === null ? "" : `${budget}x`,
    `${formatBytes(comparedBytes)}${isReached ? "" : " *"}`,
    comparedBytes === 0 ? "" : formatRatio(uncompressedBytes / comparedBytes),
    formatBytes(scoringBytes),
    formatBytes(trainingBytes),
    number(auc),
    number(logLoss),
    againstDense === undefined ? "" : `${signed(againstDense.difference)} [${againstDense.interval.map(signed).join(", ")}]`,
  ];
}

async function writeReport(rows: readonly SummaryRow[], path: string, reporter: Reporter): Promise<void> {
  const { renderComparison } = await import("../report/comparison-html.ts");
  const groups = groupsOf(rows).map((group) => ({ rows: group, cells: group.map(cellsOfRow) }));
  const html = await renderComparison(groups, HEAD);
  await nodeDirectory(dirname(path)).commit(basename(path), new TextEncoder().encode(html));
  reporter.line(`report: ${path}`);
}
