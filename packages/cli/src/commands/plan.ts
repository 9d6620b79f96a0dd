import { openDataset } from "@tt-rec/criteo-loader";
import { TtError } from "@tt-rec/tensor";
import { nodeDirectory } from "@tt-rec/tensor/node";
import { KAGGLE_CARDINALITIES, planCompression, TERABYTE_CARDINALITIES } from "@tt-rec/tt-math";
import { PLAN_OPTIONS, type PlanFlags } from "../options/command-options.ts";
import { formatBytes, formatCount, formatRatio, formatTable } from "../output/format.ts";
import type { Reporter } from "../output/reporter.ts";

const PRESETS: Readonly<
  Record<PlanFlags["preset"], { readonly cardinalities: readonly number[]; readonly embeddingDim: number }>
> = {
  kaggle: { cardinalities: KAGGLE_CARDINALITIES, embeddingDim: 16 },
  terabyte: { cardinalities: TERABYTE_CARDINALITIES, embeddingDim: 64 },
};

/** Prints sizes and compression ratios before anything is trained: of a data set, of a preset, or of given tables. */
export async function plan(dataset: string | undefined, flags: Partial<PlanFlags>, reporter: Reporter): Promise<void> {
  const { cardinalities, embeddingDim } = await tablesOf(dataset, flags);
  const count = flags.tables ?? Math.min(PLAN_OPTIONS.tables.default, cardinalities.length);
  const plans = (flags.ranks ?? PLAN_OPTIONS.ranks.default).map((ranks) => ({
    ranks,
    plan: planCompression({ embeddingDim, numEmbeddings: cardinalities, tables: count, ranks }),
  }));
  const [first] = plans;
  const compressed = first.plan.tables.filter(({ kind }) => kind === "tt").sort((a, b) => b.numEmbeddings - a.numEmbeddings);
  const head = ["rows", "row shape", "column shape", ...plans.map(({ ranks }) => `R = ${ranks}`)];
  const rows = compressed.map(({ index, numEmbeddings, shape }) => [
    formatCount(numEmbeddings),
    shape?.rowShape.join(" x ") ?? "",
    shape?.columnShape.join(" x ") ?? "",
    ...plans.map(({ plan: { tables } }) => `${formatBytes(tables[index].bytes)} ${formatRatio(tables[index].ratio)}`),
  ]);
  const total = plans.map(({ plan: { bytes, ratio } }) => `${formatBytes(bytes)} ${formatRatio(ratio)}`);
  const { uncompressedBytes } = first.plan;
  reporter.line(
    `${cardinalities.length} tables of ${embeddingDim} columns, ${formatBytes(uncompressedBytes)} uncompressed; ${count} of them as TT-cores:`,
  );
  reporter.line(formatTable(head, [...rows, [`all ${cardinalities.length} tables`, "", "", ...total]]));
  reporter.line("float32 embeddings only: no MLP, optimizer state or cache");
  for (const { ranks, plan: sizes } of plans) reporter.event("plan", { ranks, embeddingDim, ...sizes });
}

async function tablesOf(
  dataset: string | undefined,
  { preset, cardinalities, embeddingDim }: Partial<PlanFlags>,
): Promise<{ cardinalities: readonly number[]; embeddingDim: number }> {
  if ([preset, dataset, cardinalities].filter((source) => source !== undefined).length !== 1) {
    throw new TtError("E_OPTION", "plan needs one of a data set, --preset or --cardinalities");
  }
  if (preset !== undefined) {
    return { cardinalities: PRESETS[preset].cardinalities, embeddingDim: embeddingDim ?? PRESETS[preset].embeddingDim };
  }
  const own = cardinalities ?? (dataset === undefined ? [] : (await openDataset(nodeDirectory(dataset))).cardinalities);
  return { cardinalities: own, embeddingDim: embeddingDim ?? PLAN_OPTIONS.embeddingDim.default };
}
