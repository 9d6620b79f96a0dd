import { basename, dirname } from "node:path";
import { nodeDirectory } from "@tt-rec/tensor/node";
import { formatBytes, formatCount, formatRatio, formatTable } from "../output/format.ts";
import type { Reporter } from "../output/reporter.ts";
import { type RunRecord, readRunRecord } from "../run/run-record.ts";
import { engineText } from "../run/with-runtime.ts";

/** Heading of a comparison of runs. */
export const COMPARISON_HEAD: readonly string[] = [
  "model",
  "accuracy",
  "AUC",
  "log-loss",
  "embeddings",
  "ratio",
  "in training",
  "step time",
  "hit rate",
];

/** Prints finished runs side by side, and writes them as a self-contained HTML page if a path is given. */
export async function compare(runs: readonly string[], reportPath: string | undefined, reporter: Reporter): Promise<void> {
  const records = await Promise.all(runs.map((run) => readRunRecord(nodeDirectory(run))));
  const engines = records.map(({ engine, threads }) => engineText(engine, threads));
  // Step times of different engines are no comparison of models.
  const differ = new Set(engines).size > 1;
  const head = differ ? [...COMPARISON_HEAD, "engine"] : COMPARISON_HEAD;
  const rows = records.map((record, i) => (differ ? [...comparisonRow(record), engines[i]] : comparisonRow(record)));
  const tests = records.map(({ test }) => `${formatCount(test.rows)} rows with a click rate of ${test.clickRate.toFixed(4)}`);
  if (new Set(tests).size > 1) {
    reporter.warning(`the runs were tested on different rows, so their metrics are no comparison: ${tests.join("; ")}`, {});
  }
  reporter.line(formatTable(head, rows));
  for (const record of records) reporter.event("run", { ...record, curve: undefined, evaluations: undefined });
  if (reportPath === undefined) return;
  // Charts bring the heaviest libraries of the command along; the other commands start without them.
  const { renderReport } = await import("../report/report-html.ts");
  const html = await renderReport(records, head, rows);
  await nodeDirectory(dirname(reportPath)).commit(basename(reportPath), new TextEncoder().encode(html));
  reporter.line(`report: ${reportPath}`);
}

/** What a comparison tells of a run. */
export function comparisonRow({
  name,
  test,
  embeddingBytes,
  trainingBytes,
  uncompressedBytes,
  stepMilliseconds,
  hitRate,
}: RunRecord): string[] {
  return [
    name,
    test.accuracy.toFixed(4),
    test.auc.toFixed(4),
    test.logLoss.toFixed(4),
    formatBytes(embeddingBytes),
    formatRatio(uncompressedBytes / embeddingBytes),
    formatBytes(trainingBytes),
    `${stepMilliseconds.toFixed(2)} ms`,
    hitRate === undefined ? "–" : `${(100 * hitRate).toFixed(1)} %`,
  ];
}
