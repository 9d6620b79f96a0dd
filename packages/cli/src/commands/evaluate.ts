import { type Dataset, openDataset } from "@tt-rec/criteo-loader";
import { type Dlrm, evaluate as evaluateModel, evaluateSlices, type Split } from "@tt-rec/dlrm";
import { TtError } from "@tt-rec/tensor";
import type { EvaluateFlags } from "../options/command-options.ts";
import type { ModelMachineSettings } from "../options/machine-options.ts";
import { formatTable } from "../output/format.ts";
import type { Reporter } from "../output/reporter.ts";
import { checkColumns, loadModel } from "../run/load-model.ts";
import { metricsText } from "../run/metrics-text.ts";
import { openFolder } from "../run/open-folder.ts";
import { withModelRuntime } from "../run/with-runtime.ts";

/** Measures the model of a run on one split of a data set, and if asked on the slices of a column. */
export async function evaluate(
  run: string,
  dataset: string,
  { split, which, aucBins, sliceBy, slices }: EvaluateFlags,
  machine: ModelMachineSettings,
  reporter: Reporter,
): Promise<void> {
  const data = await openFolder(dataset, openDataset);
  const table = sliceBy === "" ? undefined : columnOf(data, sliceBy);
  await withModelRuntime(machine, reporter, async (runtime, tables) => {
    const model = await loadModel(runtime, run, which, tables);
    checkColumns(model, data);
    const metrics = await evaluateModel(model, data, split, aucBins > 0 ? { aucBins } : {});
    reporter.line(`${run} on ${split}: ${metricsText(metrics)}`);
    reporter.event("evaluation", { run, split, ...metrics });
    if (table !== undefined) await reportSlices(model, data, split, table, slices, reporter);
  });
}

function columnOf({ tableNames }: Dataset, name: string): number {
  const table = tableNames.indexOf(name);
  if (table >= 0) return table;
  throw new TtError("E_OPTION", `--slice-by = "${name}" is not one of ${tableNames.join(", ")}`);
}

async function reportSlices(
  model: Dlrm,
  data: Dataset,
  split: Split,
  table: number,
  limit: number,
  reporter: Reporter,
): Promise<void> {
  const column = data.tableNames[table];
  const slices = await evaluateSlices(model, data, split, table, limit);
  const rows = slices.map(({ value, metrics: { rows, clickRate, auc, logLoss, calibration } }) => [
    value === undefined ? "others" : value === 0 ? "0 (not in training)" : String(value),
    rows.toLocaleString("en"),
    ...[clickRate, auc, logLoss, calibration].map((number) => number.toFixed(4)),
  ]);
  reporter.line(formatTable([`index of ${column}`, "rows", "click rate", "AUC", "log-loss", "calibration"], rows));
  for (const { value = null, metrics } of slices) reporter.event("slice", { column, value, ...metrics });
}
