import type { BinaryMetrics, Split } from "@tt-rec/dlrm";
import { type Directory, readSealedJson, type SealedFormat, sealJson } from "@tt-rec/tensor";
import type { TrainSettings } from "../options/train-options.ts";

/** The file that describes a run, beside its checkpoint. */
const RECORD_FORMAT: SealedFormat = { file: "run.json", format: "tt-rec-run", version: 2 };

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
  /** Engine of the dense kernels. */
  readonly engine: string;
  /** Threads that computed. */
  readonly threads: number;
  /** Steps taken. */
  readonly steps: number;
  /** Steps before the model that was tested: the best one, where evaluations were ranked, or else the last. */
  readonly testedStep: number;
  /** Training loss and hit rate along the run. */
  readonly curve: readonly CurvePoint[];
  /** Evaluations along the run. */
  readonly evaluations: readonly EvaluationPoint[];
  /** Metrics of that model on the test rows. */
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
  await directory.commit(RECORD_FORMAT.file, await sealJson(RECORD_FORMAT, record));
}

/** Reads the record of a finished run. Throws `E_NOT_FOUND`, `E_CORRUPT` or `E_VERSION`. */
export async function readRunRecord(directory: Directory): Promise<RunRecord> {
  // What the checksum vouches for was written by writeRunRecord.
  return (await readSealedJson(directory, RECORD_FORMAT)) as unknown as RunRecord;
}
