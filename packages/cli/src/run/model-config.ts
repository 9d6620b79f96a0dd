import type { DlrmConfig, EmbeddingConfig, TableConfig, TTEmbeddingConfig } from "@tt-rec/dlrm";
import { planCompression } from "@tt-rec/tt-math";
import type { TrainSettings } from "../options/train-options.ts";

/** What a model needs to know of a data set. */
export interface DataShape {
  /** Number of dense features. */
  readonly denseFeatures: number;
  /** Name of each table. */
  readonly tableNames: readonly string[];
  /** Rows of each table. */
  readonly cardinalities: readonly number[];
}

/** The architecture that settings and a data set ask for; the k largest tables become TT tables. */
export function modelConfig(settings: TrainSettings, { denseFeatures, tableNames, cardinalities }: DataShape): DlrmConfig {
  const { embeddingDim, bottomMlp, topMlp, ttTables, ttRanks } = settings;
  const plan = planCompression({ embeddingDim, numEmbeddings: cardinalities, tables: ttTables, ranks: ttRanks });
  const tables = plan.tables.map(({ kind, numEmbeddings }, t): TableConfig => {
    const embedding: EmbeddingConfig =
      kind === "dense" ? { kind } : { kind, ranks: ttRanks, ...cacheOf(settings, numEmbeddings) };
    return { name: tableNames[t], numEmbeddings, embedding };
  });
  return { denseFeatures, embeddingDim, bottomMlp: denseFeatures > 0 ? bottomMlp : [], topMlp, tables };
}

/** A share above 0 means a cache, however small the table. */
function cacheOf(
  { cacheShare, cacheWarmup, cacheRefresh, cachePolicy }: TrainSettings,
  numEmbeddings: number,
): Pick<TTEmbeddingConfig, "cache"> {
  if (cacheShare === 0) return {};
  const rows = Math.min(numEmbeddings, Math.max(1, Math.round(cacheShare * numEmbeddings)));
  // The default is left out, so that checkpoints from before there was a choice can be resumed.
  const policy = cachePolicy === "semi-dynamic" ? {} : { policy: cachePolicy };
  return { cache: { rows, warmupSteps: cacheWarmup, refreshEvery: cacheRefresh, ...policy } };
}
