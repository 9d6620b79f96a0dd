import type { BinaryMetrics, Split } from "@tt-rec/dlrm";
import { type Directory, TtError } from "@tt-rec/tensor";
import type { TrainSettings } from "../options/train-options.ts";

/** Name of the file that describes a run, beside its checkpoint. */
const RECORD_NAME = "run.json";

const FORMAT = "tt-rec-run";
const VERSION = 1;

/** Means over some neighbouring steps. */
export interface CurvePoint {
  /** The last of the steps. */
  readonly step: number;
  /** Mean training loss, in nats. */
  readonly loss: number;
  /** Share of the lookups in cached tables that the caches answered; absent without a cache. */
  readonly hitRate?: number;
}

/** Metrics of a split at some step. */
export interface EvaluationPoint extends BinaryMetrics {
  /** Steps taken before. */
  readonly step: number;
  /** The split. */
  readonly split: Split;
}

/** What a run was and what came out. */
export interface RunRecord {
  /** Name in tables and charts. */
  readonly name: string;
  /** The run's settings. */
  readonly settings: TrainSettings;
  /** Steps taken. */
  readonly steps: number;
  /** Training loss and hit rate along the run. */
  readonly curve: readonly CurvePoint[];
  /** Evaluations along the run. */
  readonly evaluations: readonly EvaluationPoint[];
  /** Metrics of the finished model on the test rows. */
  readonly test: BinaryMetrics;
  /** Bytes of all tables as a deployed model needs them: parameters, and cached rows with their ids. */
  readonly embeddingBytes: number;
  /** Resident bytes of all tables in training: optimizer state and access counters besides. */
  readonly trainingBytes: number;
  /** Bytes of the same tables uncompressed. */
  readonly uncompressedBytes: number;
  /** Median wall time of a step in milliseconds, reading excluded. */
  readonly stepMilliseconds: number;
  /** Hit rate of all caches over the whole run, warm-up included; absent without a cache. */
  readonly hitRate?: number;
}

/** Stores a record. */
export async function writeRunRecord(directory: Directory, record: RunRecord): Promise<void> {
  const text = `${JSON.stringify({ format: FORMAT, version: VERSION, ...record }, null, 1)}\n`;
  await directory.commit(RECORD_NAME, new TextEncoder().encode(text));
}

/** Reads the record of a finished run. Throws `E_NOT_FOUND`, `E_CORRUPT` or `E_VERSION`. */
export async function readRunRecord(directory: Directory): Promise<RunRecord> {
  const file = await directory.read(RECORD_NAME);
  const text = new TextDecoder().decode(await file.slice(0, file.byteLength));
  let value: { format?: unknown; version?: unknown };
  try {
    value = JSON.parse(text) as typeof value;
  } catch (cause) {
    throw new TtError("E_CORRUPT", `${RECORD_NAME} is not JSON`, { file: RECORD_NAME }, { cause });
  }
  if (value?.format !== FORMAT)
    throw new TtError("E_CORRUPT", `${RECORD_NAME} is not the record of a run`, { file: RECORD_NAME });
  if (value.version !== VERSION)
    throw new TtError("E_VERSION", `${RECORD_NAME} has version ${value.version}; this release reads version ${VERSION}`);
  return value as unknown as RunRecord;
}
