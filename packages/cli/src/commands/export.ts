import { basename, dirname } from "node:path";
import { writeModel } from "@tt-rec/dlrm";
import { TtError } from "@tt-rec/tensor";
import { nodeDirectory } from "@tt-rec/tensor/node";
import type { ExportFlags } from "../options/command-options.ts";
import type { MachineSettings } from "../options/machine-options.ts";
import { formatBytes } from "../output/format.ts";
import type { Reporter } from "../output/reporter.ts";
import { loadModel } from "../run/load-model.ts";
import { withRuntime } from "../run/with-runtime.ts";

/** Writes the model of a run as one safetensors file, for scoring. */
export async function exportModel(
  run: string,
  out: string,
  replace: boolean,
  { storage, which }: ExportFlags,
  machine: MachineSettings,
  reporter: Reporter,
): Promise<void> {
  if (!out.endsWith(".safetensors")) throw new TtError("E_OPTION", `--out = "${out}" does not end in .safetensors`);
  const folder = nodeDirectory(dirname(out));
  if (!replace && (await folder.list()).includes(basename(out))) {
    throw new TtError("E_EXISTS", `${out} exists; --replace writes over it`, { file: out });
  }
  await withRuntime(machine, reporter, async (runtime) => {
    const model = await loadModel(runtime, run, which, {});
    const { byteLength } = await folder.commit(basename(out), await writeModel(model, storage));
    reporter.line(`${out}: ${formatBytes(byteLength)}, cores in ${storage}`);
    reporter.event("exported", { out, byteLength, storage });
  });
}
