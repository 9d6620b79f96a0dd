import { openDataset } from "@tt-rec/criteo-loader";
import { TtError } from "@tt-rec/tensor";
import { KAGGLE_CARDINALITIES, planCompression, TERABYTE_CARDINALITIES } from "@tt-rec/tt-math";
import { PLAN_OPTIONS, type PlanFlags } from "../options/command-options.ts";
import { formatBytes, formatCount, formatRatio, formatTable } from "../output/format.ts";
import type { Reporter } from "../output/reporter.ts";
import { openFolder } from "../run/open-folder.ts";

const PRESETS: Readonly<
  Record<PlanFlags["preset"], { readonly cardinalities: readonly number[]; readonly embeddingDim: number }>
> = {
  kaggle: { cardinalities: KAGGLE_CARDINALITIES, embeddingDim: 16 },
  terabyte: { cardinalities: TERABYTE_CARDINALITIES, embeddingDim: 64 },
};

/** What is known of the tables before a plan. */
interface PlanTables {
  readonly cardinalities: readonly number[];
  readonly embeddingDim: number;
  /** Accesses of each row, where a data set has counted them. */
  readonly histograms?: readonly ArrayLike<number>[];
}

/** Prints sizes and compression ratios before anything is trained: of a data set, of a preset, or of given tables. */
export async function plan(dataset: string | undefined, flags: Partial<PlanFlags>, reporter: Reporter): Promise<void> {
  const tables = await tablesOf(dataset, flags);
  if (flags.budget === undefined && flags.ratio === undefined) return compareRanks(tables, flags, reporter);
  planBudget(tables, flags, reporter);
}

/** The k largest tables at several ranks, side by side. */
function compareRanks({ cardinalities, embeddingDim }: PlanTables, flags: Partial<PlanFlags>, reporter: Reporter): void {
  const count = flags.tables ?? Math.min(PLAN_OPTIONS.tables.default, cardinalities.length);
  const { shapes = PLAN_OPTIONS.shapes.default } = flags;
  const plans = (flags.ranks ?? PLAN_OPTIONS.ranks.default).map((ranks) => ({
    ranks,
    plan: planCompression({ embeddingDim, numEmbeddings: cardinalities, tables: count, ranks, shapes }),
  }));
  const [first] = plans;
  const compressed = first.plan.tables.filter(({ kind }) => kind === "tt").sort((a, b) => b.numEmbeddings - a.numEmbeddings);
  const head = ["rows", "row shape", "column shape", "padding", ...plans.map(({ ranks }) => `R = ${ranks}`)];
  const rows = compressed.map(({ index, numEmbeddings, shape, paddingRows }) => [
    formatCount(numEmbeddings),
    shape?.rowShape.join(" x ") ?? "",
    shape?.columnShape.join(" x ") ?? "",
    paddingText(paddingRows, numEmbeddings),
    ...plans.map(({ plan: { tables } }) => `${formatBytes(tables[index].bytes)} ${formatRatio(tables[index].ratio)}`),
  ]);
  const total = plans.map(({ plan: { bytes, ratio } }) => `${formatBytes(bytes)} ${formatRatio(ratio)}`);
  const { uncompressedBytes } = first.plan;
  reporter.line(
    `${cardinalities.length} tables of ${embeddingDim} columns, ${formatBytes(uncompressedBytes)} uncompressed; ${count} of them as TT-cores:`,
  );
  reporter.line(formatTable(head, [...rows, [`all ${cardinalities.length} tables`, "", "", "", ...total]]));
  reporter.line("float32 embeddings only: no MLP, optimizer state or cache");
  for (const { ranks, plan: sizes } of plans) reporter.event("plan", { ranks, embeddingDim, ...sizes });
}

/** What a budget buys, table by table. */
function planBudget(facts: PlanTables, flags: Partial<PlanFlags>, reporter: Reporter): void {
  const { cardinalities, embeddingDim, histograms } = facts;
  const { cacheStorage = PLAN_OPTIONS.cacheStorage.default } = flags;
  const plan = planCompression({
    embeddingDim,
    numEmbeddings: cardinalities,
    cacheStorage,
    shapes: flags.shapes ?? PLAN_OPTIONS.shapes.default,
    ...(flags.budget !== undefined && { budgetBytes: flags.budget }),
    ...(flags.ratio !== undefined && { targetRatio: flags.ratio }),
    ...(flags.tables !== undefined && { tables: flags.tables }),
    ...(flags.ranks !== undefined && { ranks: Math.max(...flags.ranks) }),
    ...(histograms !== undefined && { histograms }),
  });
  const compressed = plan.tables.filter(({ kind }) => kind === "tt").sort((a, b) => b.numEmbeddings - a.numEmbeddings);
  const head = ["rows", "row shape", "padding", "ranks", "bytes", "cached rows", "cache", "ratio"];
  const rows = compressed.map(({ numEmbeddings, shape, paddingRows, bytes, cacheRows, cacheBytes, ratio }) => [
    formatCount(numEmbeddings),
    shape?.rowShape.join(" x ") ?? "",
    paddingText(paddingRows, numEmbeddings),
    shape?.ranks.slice(1, -1).join(" ") ?? "",
    formatBytes(bytes),
    formatCount(cacheRows),
    formatBytes(cacheBytes),
    formatRatio(ratio),
  ]);
  const dense = plan.tables.filter(({ kind }) => kind === "dense");
  const denseBytes = dense.reduce((sum, { bytes }) => sum + bytes, 0);
  reporter.line(
    `${cardinalities.length} tables of ${embeddingDim} columns, ${formatBytes(plan.uncompressedBytes)} uncompressed:`,
  );
  if (rows.length > 0) reporter.line(formatTable(head, rows));
  reporter.line(
    `${dense.length} smaller ${dense.length === 1 ? "table stays" : "tables stay"} dense: ${formatBytes(denseBytes)}`,
  );
  reporter.line(
    `all tables: ${formatBytes(plan.bytes)}, ${formatRatio(plan.ratio)} smaller; float32 embeddings and ${cacheStorage} cached rows only`,
  );
  if (histograms === undefined) reporter.line("no caches are planned: that needs a data set, which has counted its accesses");
  reporter.event("plan", { embeddingDim, ...plan });
}

function paddingText(paddingRows: number, numEmbeddings: number): string {
  return `${((100 * paddingRows) / numEmbeddings).toFixed(1)} %`;
}

async function tablesOf(
  dataset: string | undefined,
  { preset, cardinalities, embeddingDim }: Partial<PlanFlags>,
): Promise<PlanTables> {
  if ([preset, dataset, cardinalities].filter((source) => source !== undefined).length !== 1) {
    throw new TtError("E_OPTION", "plan needs one of a data set, --preset or --cardinalities");
  }
  if (preset !== undefined) {
    return { cardinalities: PRESETS[preset].cardinalities, embeddingDim: embeddingDim ?? PRESETS[preset].embeddingDim };
  }
  const columns = embeddingDim ?? PLAN_OPTIONS.embeddingDim.default;
  if (dataset === undefined) return { cardinalities: cardinalities ?? [], embeddingDim: columns };
  const data = await openFolder(dataset, openDataset);
  return { cardinalities: data.cardinalities, embeddingDim: columns, histograms: await data.accessCounts() };
}
