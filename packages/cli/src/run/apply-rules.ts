import { type CacheConfig, type EmbeddingConfig, mixedDimensions, type TablePooling, type TTEmbeddingConfig } from "@tt-rec/dlrm";
import { TtError } from "@tt-rec/tensor";
import { planCompression } from "@tt-rec/tt-math";
import type { EmbeddingRule } from "../options/embedding-rules.ts";
import type { TrainSettings } from "../options/train-options.ts";
import { hottestIds } from "./hottest-ids.ts";
import type { DataShape } from "./model-config.ts";

/** Accesses of each row of each table. */
export type AccessCounts = readonly ArrayLike<number>[];

/** How large a cache is: rows, of which 0 mean none, or bytes. */
export type CacheSize = Pick<CacheConfig, "rows" | "bytes">;

/** How a table is stored. */
export interface TableChoice {
  /** What it becomes. */
  readonly embedding: EmbeddingConfig;
  /** How its rows are joined, if a rule says so. */
  readonly pooling?: TablePooling;
}

/** The choice of each table: that of the first rule that it meets, uncompressed without one. */
export function applyRules(
  rules: readonly EmbeddingRule[],
  data: DataShape,
  settings: TrainSettings,
  counts: AccessCounts | undefined,
): TableChoice[] {
  const choices: (TableChoice | undefined)[] = data.cardinalities.map(() => undefined);
  for (const [index, rule] of rules.entries()) {
    const met = tablesOf(rule, index, data).filter((t) => choices[t] === undefined);
    const embeddings = embeddingsOf(rule, met, data, settings, counts);
    const pooling = rule.pooling && { pooling: rule.pooling };
    for (const [i, t] of met.entries()) choices[t] = { embedding: embeddings[i], ...pooling };
  }
  return choices.map((choice) => choice ?? { embedding: { kind: "dense" } });
}

/** The tables that a rule is for. Throws E_OPTION if it names one that is not there, or more than there are. */
function tablesOf(
  { tables, minRows = 0, largest }: EmbeddingRule,
  index: number,
  { tableNames, cardinalities }: DataShape,
): number[] {
  const unknown = tables?.find((name) => !tableNames.includes(name));
  if (unknown !== undefined)
    throw new TtError("E_OPTION", `rule ${index} names the table "${unknown}"; there are ${tableNames.join(", ")}`);
  if (largest !== undefined && largest > cardinalities.length) {
    throw new TtError("E_OPTION", `the ${largest} largest tables were asked for, there are ${cardinalities.length}`);
  }
  // Of equal ones the first.
  const bySize = cardinalities.map((_, t) => t).sort((a, b) => cardinalities[b] - cardinalities[a] || a - b);
  const chosen = new Set(bySize.slice(0, largest));
  return cardinalities.flatMap((rows, t) =>
    (tables?.includes(tableNames[t]) ?? true) && rows >= minRows && chosen.has(t) ? [t] : [],
  );
}

/** What a rule makes of its tables, of which some kinds are decided together. */
function embeddingsOf(
  rule: EmbeddingRule,
  tables: readonly number[],
  { cardinalities }: DataShape,
  settings: TrainSettings,
  counts: AccessCounts | undefined,
): EmbeddingConfig[] {
  const rows = tables.map((t) => cardinalities[t]);
  const given = <T>(value: T | undefined): T => {
    if (value === undefined) throw new TtError("E_OPTION", `a rule of kind ${rule.kind} lacks a number`);
    return value;
  };
  switch (rule.kind) {
    case "dense":
    case "removed":
      return rows.map(() => ({ kind: rule.kind as "dense" | "removed" }));
    case "tt":
      return ttTables(rule, tables, rows, settings, counts);
    case "hash": {
      const { seed } = rule;
      return rows.map((n) => ({ kind: "hash", rows: Math.min(n, given(rule.rows)), ...(seed !== undefined && { seed }) }));
    }
    case "quotient-remainder": {
      const { operation } = rule;
      return rows.map((n) => ({
        kind: "quotient-remainder",
        collisions: Math.min(n, given(rule.collisions)),
        ...(operation && { operation }),
      }));
    }
    case "mixed-dimension": {
      const { dimension, temperature, roundDimensions = false } = rule;
      const dimensions =
        dimension !== undefined
          ? rows.map(() => dimension)
          : mixedDimensions(rows, settings.embeddingDim, given(temperature), roundDimensions);
      return dimensions.map((columns) => ({ kind: "mixed-dimension", dimension: columns }));
    }
    case "low-rank":
      return rows.map(() => ({ kind: "low-rank", rank: given(rule.rank) }));
    case "hot-rows":
      return tables.map((t) => hotRows(Math.min(cardinalities[t], given(rule.rows)), counts?.[t]));
  }
}

/** Shapes that are the default's are left to it, so that they stay out of the checkpoint. */
function ttTables(
  rule: EmbeddingRule,
  tables: readonly number[],
  numEmbeddings: readonly number[],
  settings: TrainSettings,
  counts: AccessCounts | undefined,
): EmbeddingConfig[] {
  const { ranks, budget } = rule;
  const { embeddingDim, ttShapes: shapes, cacheStorage } = settings;
  if (numEmbeddings.length === 0) return [];
  const plan = planCompression({
    ...{ embeddingDim, numEmbeddings, shapes, cacheStorage },
    ...(budget === undefined
      ? { tables: numEmbeddings.length, ...(ranks !== undefined && { ranks }) }
      : { budgetBytes: budget, ...(counts && { histograms: tables.map((t) => counts[t]) }) }),
  });
  return plan.tables.map(({ shape, numEmbeddings: n, cacheRows }): EmbeddingConfig => {
    if (shape === undefined) return { kind: "dense" };
    const own = { ...(shapes === "compact" && { rowShape: shape.rowShape }), ...initializerOf(settings) };
    if (budget !== undefined)
      return { kind: "tt", ranks: shape.ranks.slice(1, -1), ...own, ...cacheOf(settings, { rows: cacheRows }) };
    return { kind: "tt", ranks: ranks ?? 1, ...own, ...cacheOf(settings, cacheSizeOf(rule, n)) };
  });
}

function hotRows(rows: number, counts: ArrayLike<number> | undefined): EmbeddingConfig {
  return { kind: "hot-rows", rows, ...(counts && { ids: hottestIds(counts, rows) }) };
}

/** Throws E_OPTION if a cache is given two sizes. */
function cacheSizeOf({ cacheShare = 0, cacheRows = 0, cacheBytes = 0 }: EmbeddingRule, numEmbeddings: number): CacheSize {
  const given = Object.entries({ cacheShare, cacheRows, cacheBytes }).filter(([, size]) => size > 0);
  if (given.length > 1) {
    const sizes = given.map(([name, size]) => `${name} ${size}`).join(" and ");
    throw new TtError("E_OPTION", `a cache has one size, but ${sizes} are given`);
  }
  if (cacheBytes > 0) return { bytes: cacheBytes };
  // A share above 0 means a cache, however small the table.
  const rows = cacheShare > 0 ? Math.max(1, Math.round(cacheShare * numEmbeddings)) : cacheRows;
  return { rows: Math.min(numEmbeddings, rows) };
}

/** A cache of some size by the schedule and policy of the settings; none for 0 rows. */
export function cacheOf(
  {
    cacheWarmup,
    cacheRefresh,
    cachePolicy,
    cacheStorage,
  }: Pick<TrainSettings, "cacheWarmup" | "cacheRefresh" | "cachePolicy" | "cacheStorage">,
  size: CacheSize,
): { readonly cache?: CacheConfig } {
  if (size.rows === 0) return {};
  const schedule = {
    ...(cacheWarmup !== null && { warmupSteps: cacheWarmup }),
    ...(cacheRefresh !== null && { refreshEvery: cacheRefresh }),
  };
  // What is the default stays out of the checkpoint.
  return {
    cache: { ...size, ...schedule, policy: cachePolicy, ...(cacheStorage !== "float32" && { rowStorage: cacheStorage }) },
  };
}

/** How a TT table's cores are drawn, if that is not the default. */
export function initializerOf({
  ttStandardDeviation,
}: Pick<TrainSettings, "ttStandardDeviation">): Pick<TTEmbeddingConfig, "initializer"> {
  if (ttStandardDeviation === null) return {};
  return { initializer: { kind: "sampled-gaussian", scaling: "variance-matched", standardDeviation: ttStandardDeviation } };
}
