import type { DlrmConfig, EmbeddingConfig, TableConfig, TTEmbeddingConfig } from "@tt-rec/dlrm";
import { TtError } from "@tt-rec/tensor";
import { type PlannedTable, planCompression } from "@tt-rec/tt-math";
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

/**
 * The architecture that settings and a data set ask for: the k largest tables as TT tables, or what a budget buys; then
 * `histograms`, the accesses of each row of each table, decide on caches. Throws E_OPTION as `planCompression` does.
 */
export function modelConfig(
  settings: TrainSettings,
  { denseFeatures, tableNames, cardinalities }: DataShape,
  histograms?: readonly ArrayLike<number>[],
): DlrmConfig {
  const { embeddingDim, bottomMlp, topMlp, ttTables, ttRanks, ttShapes, budget } = settings;
  if (budget > 0 && (ttTables > 0 || settings.cacheShare > 0)) {
    throw new TtError("E_OPTION", "--budget chooses TT tables and caches itself; it goes without --tt-tables and --cache-share");
  }
  const plan = planCompression({
    embeddingDim,
    numEmbeddings: cardinalities,
    shapes: ttShapes,
    ...(budget === 0 && { tables: ttTables, ranks: ttRanks }),
    ...(budget > 0 && { budgetBytes: budget }),
    ...(budget > 0 && histograms !== undefined && { histograms }),
  });
  const tables = plan.tables.map((table): TableConfig => {
    const { numEmbeddings } = table;
    return { name: tableNames[table.index], numEmbeddings, embedding: embeddingOf(table, settings) };
  });
  return { denseFeatures, embeddingDim, bottomMlp: denseFeatures > 0 ? bottomMlp : [], topMlp, tables };
}

/** Shapes that are the default's are left to it, so that they stay out of the checkpoint. */
function embeddingOf({ shape, numEmbeddings, cacheRows }: PlannedTable, settings: TrainSettings): EmbeddingConfig {
  const { ttRanks, ttShapes, budget, cacheWarmup, cacheRefresh, cachePolicy } = settings;
  if (shape === undefined) return { kind: "dense" };
  const rowShape = ttShapes === "compact" && { rowShape: shape.rowShape };
  if (budget === 0) return { kind: "tt", ranks: ttRanks, ...rowShape, ...cacheOf(settings, numEmbeddings) };
  const cache = { rows: cacheRows, warmupSteps: cacheWarmup, refreshEvery: cacheRefresh, policy: cachePolicy };
  return { kind: "tt", ranks: shape.ranks.slice(1, -1), ...rowShape, ...(cacheRows > 0 && { cache }) };
}

/** A share above 0 means a cache, however small the table. */
function cacheOf(
  { cacheShare, cacheWarmup, cacheRefresh, cachePolicy }: TrainSettings,
  numEmbeddings: number,
): Pick<TTEmbeddingConfig, "cache"> {
  if (cacheShare === 0) return {};
  const rows = Math.min(numEmbeddings, Math.max(1, Math.round(cacheShare * numEmbeddings)));
  return { cache: { rows, warmupSteps: cacheWarmup, refreshEvery: cacheRefresh, policy: cachePolicy } };
}
