import { openDataset } from "@tt-rec/criteo-loader";
import { evaluate as evaluateModel, loadCheckpoint, type Split } from "@tt-rec/dlrm";
import { TtError } from "@tt-rec/tensor";
import { nodeDirectory } from "@tt-rec/tensor/node";
import type { ModelMachineSettings } from "../options/machine-options.ts";
import type { Reporter } from "../output/reporter.ts";
import { metricsText } from "../run/metrics-text.ts";
import { withModelRuntime } from "../run/with-runtime.ts";

const SPLITS: readonly Split[] = ["train", "validation", "test"];

/** Measures the model of a run on one split of a data set. */
export async function evaluate(
  run: string,
  dataset: string,
  split: string,
  machine: ModelMachineSettings,
  reporter: Reporter,
): Promise<void> {
  const known = SPLITS.find((name) => name === split);
  if (known === undefined) throw new TtError("E_OPTION", `--split = "${split}" is not one of ${SPLITS.join(", ")}`);
  const data = await openDataset(nodeDirectory(dataset));
  await withModelRuntime(machine, reporter, async (runtime, tables) => {
    const { model } = await loadCheckpoint(runtime, nodeDirectory(run), tables);
    const metrics = await evaluateModel(model, data, known);
    reporter.line(`${run} on ${split}: ${metricsText(metrics)}`);
    reporter.event("evaluation", { run, split, ...metrics });
  });
}
