import { basename, dirname } from "node:path";
import { openEncoder } from "@tt-rec/criteo-loader";
import { nodeDirectory } from "@tt-rec/tensor/node";
import type { PredictFlags } from "../options/command-options.ts";
import type { ModelMachineSettings } from "../options/machine-options.ts";
import { formatCount } from "../output/format.ts";
import type { Reporter } from "../output/reporter.ts";
import { encodeRows } from "../predict/encode-rows.ts";
import { rawRows } from "../predict/raw-rows.ts";
import { checkColumns, loadModel } from "../run/load-model.ts";
import { openFolder } from "../run/open-folder.ts";
import { withModelRuntime } from "../run/with-runtime.ts";

/** What is scored, by what. */
export interface PredictPaths {
  /** Folder of a run, or an exported model. */
  readonly model: string;
  /** Folder of the data set whose dictionaries number the ids; its Arrow files need not be there. */
  readonly dataset: string;
  /** Files with raw rows. */
  readonly files: readonly string[];
  /** File for the probabilities; undefined for the standard output. */
  readonly out: string | undefined;
}

/** Writes the probability of a click of each raw row, one a line, in the order of the rows; never more than some blocks of rows are in memory. */
export async function predict(
  { model: path, dataset, files, out }: PredictPaths,
  { schema, which }: PredictFlags,
  machine: ModelMachineSettings,
  reporter: Reporter,
): Promise<void> {
  const encoder = await openFolder(dataset, openEncoder);
  const sources = await rawRows(files, schema, encoder.schema);
  // Where the probabilities go to the standard output, nothing else does.
  const quiet = out === undefined ? { ...reporter, line: () => undefined, event: () => undefined } : reporter;
  await withModelRuntime(machine, quiet, async (runtime, tables) => {
    const model = await loadModel(runtime, path, which, tables);
    checkColumns(model, encoder);
    let rows = 0;
    async function* lines(): AsyncGenerator<string> {
      for (const source of sources) {
        for await (const batch of encodeRows(source, encoder)) {
          const probabilities = await model.predict(batch);
          rows += probabilities.length;
          yield `${probabilities.join("\n")}\n`;
        }
      }
    }
    if (out === undefined) {
      for await (const text of lines()) await reporter.text(text);
    } else {
      await nodeDirectory(dirname(out)).commit(basename(out), encoded(lines()));
      reporter.line(`${out}: ${formatCount(rows)} probabilities`);
    }
    quiet.event("predicted", { rows, model: path });
  });
}

async function* encoded(lines: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  for await (const text of lines) yield new TextEncoder().encode(text);
}
