import { type Directory, Runtime, type RuntimeOptions } from "@tt-rec/tensor";
import type { Batch } from "../batch.ts";
import { loadCheckpoint } from "../checkpoint/checkpoint.ts";
import { CHECKPOINT_NAME } from "../checkpoint/manifest.ts";
import type { Dlrm } from "../dlrm.ts";
import { readModel } from "./model-file.ts";

/** A trained model that scores, with a runtime of its own. */
export interface Scorer {
  /** The model. */
  readonly model: Dlrm;
  /** Logits [B] of a batch; its labels are not read. */
  score(batch: Batch): Promise<Float32Array>;
  /** Probabilities [B] of a click. */
  predict(batch: Batch): Promise<Float32Array>;
  /** Frees the model and closes its runtime. */
  close(): Promise<void>;
}

/** Options of `openModel`. */
export interface OpenModelOptions {
  /** Name of a file that `writeModel` wrote; absent for a checkpoint. */
  readonly file?: string;
  /** Options of the runtime. */
  readonly runtime?: RuntimeOptions;
}

/**
 * Opens the best model of a checkpoint (the latest where none was ranked), or an exported file, for scoring. Throws what
 * `loadCheckpoint` and `readModel` throw.
 */
export async function openModel(directory: Directory, { file, runtime: options }: OpenModelOptions = {}): Promise<Scorer> {
  const runtime = await Runtime.create(options);
  try {
    const model =
      file === undefined || file === CHECKPOINT_NAME
        ? (await loadCheckpoint(runtime, directory, { which: "best" })).model
        : await readModel(runtime, await directory.read(file));
    return {
      model,
      score: (batch) => model.score(batch),
      predict: (batch) => model.predict(batch),
      async close() {
        model.dispose();
        await runtime.close();
      },
    };
  } catch (error) {
    await runtime.close();
    throw error;
  }
}
