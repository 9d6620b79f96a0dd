import type { DlrmConfig, InteractionConfig, TableConfig } from "@tt-rec/dlrm";
import { TtError } from "@tt-rec/tensor";
import type { EmbeddingRule } from "../options/embedding-rules.ts";
import type { TrainSettings } from "../options/train-options.ts";
import { type AccessCounts, applyRules } from "./apply-rules.ts";

/** What a model needs to know of a data set. */
export interface DataShape {
  /** Number of dense features. */
  readonly denseFeatures: number;
  /** Name of each table. */
  readonly tableNames: readonly string[];
  /** Rows of each table. */
  readonly cardinalities: readonly number[];
}

/** Whether the architecture depends on how often rows are accessed. */
export function needsCounts(settings: TrainSettings): boolean {
  return rulesOf(settings).some(({ kind, budget }) => kind === "hot-rows" || budget !== undefined);
}

/**
 * The architecture that settings and a data set ask for. `counts` are the accesses of each row of each table, which decide on
 * caches under a budget and on hot rows. Throws E_OPTION where settings exclude each other, a rule names no table, and as
 * `planCompression` does.
 */
export function modelConfig(settings: TrainSettings, data: DataShape, counts?: AccessCounts): DlrmConfig {
  const { embeddingDim, bottomMlp, topMlp, pooling, mlpInitializer, loss, lossWeights } = settings;
  const { denseFeatures, tableNames, cardinalities } = data;
  const choices = applyRules(rulesOf(settings), data, settings, counts);
  const tables = choices.map(({ embedding, pooling: own = pooling }, t): TableConfig => {
    const table = { name: tableNames[t], numEmbeddings: cardinalities[t], embedding };
    return own === "sum" ? table : { ...table, pooling: own };
  });
  const interaction = interactionOf(settings);
  const [w0, w1] = lossWeights;
  return {
    ...{ denseFeatures, embeddingDim, bottomMlp: denseFeatures > 0 ? bottomMlp : [], topMlp, tables },
    ...(interaction && { interaction }),
    ...(mlpInitializer !== "dlrm" && { mlpInitializer }),
    ...(loss !== "bce" && { loss }),
    ...((w0 !== 1 || w1 !== 1) && { lossWeights }),
  };
}

/** The rules of the settings: those that were given, and then the one that the flags for TT tables stand for. */
function rulesOf(settings: TrainSettings): readonly EmbeddingRule[] {
  const { embeddings, budget, ttTables, ttRanks, cacheShare, cacheRows, cacheBytes } = settings;
  if (budget > 0 && (ttTables > 0 || cacheShare > 0 || cacheRows > 0 || cacheBytes > 0)) {
    throw new TtError(
      "E_OPTION",
      "--budget chooses TT tables and caches itself; it goes without --tt-tables, --cache-share, --cache-rows and --cache-bytes",
    );
  }
  if (budget > 0) return [...embeddings, { kind: "tt", budget }];
  if (ttTables > 0) return [...embeddings, { kind: "tt", largest: ttTables, ranks: ttRanks, cacheShare, cacheRows, cacheBytes }];
  return embeddings;
}

/** The default interaction stays out of the configuration, and so out of the checkpoint. */
function interactionOf({ interaction, interactionItself, crossLayers, crossRank }: TrainSettings): InteractionConfig | undefined {
  if (interaction === "cat") return { kind: "cat" };
  if (interaction === "cross") return { kind: "cross", layers: crossLayers, rank: crossRank };
  return interactionItself ? { kind: "dot", self: true } : undefined;
}
