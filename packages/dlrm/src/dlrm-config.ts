import { TtError } from "@tt-rec/tensor";
import type { TableConfig } from "./embeddings/embedding-config.ts";
import { validateTable } from "./embeddings/validate-table.ts";

/** The products of all pairs of vectors, behind the bottom MLP's output. */
export interface DotInteractionConfig {
  /** Names the choice. */
  readonly kind: "dot";
  /** Whether a vector is multiplied by itself too, as with DLRM's `--arch-interaction-itself`. Default false. */
  readonly self?: boolean;
}

/** All vectors one behind the other. */
export interface ConcatInteractionConfig {
  /** Names the choice. */
  readonly kind: "cat";
}

/**
 * All vectors one behind the other, x_0, then x_(l+1) = x_0 ⊙ (W_l·(V_l·x_l) + b_l) + x_l: DCNv2's low-rank cross network as
 * TorchRec's `DLRM_DCN` has it.
 */
export interface CrossInteractionConfig {
  /** Names the choice. */
  readonly kind: "cross";
  /** Number of cross layers. */
  readonly layers: number;
  /** Rank of each layer's matrix. */
  readonly rank: number;
}

/** How the vectors of a sample meet. */
export type InteractionConfig = DotInteractionConfig | ConcatInteractionConfig | CrossInteractionConfig;

/** How the MLPs are drawn: `dlrm` W ~ N(0, 2 / (in + out)), b ~ N(0, 1 / out); `he` W ~ N(0, 2 / in), b = 0. */
export type MlpInitializer = "dlrm" | "he";

/** What training minimises, as DLRM's `--loss-function` names it; its `wbce` is `bce` with loss weights. */
export type LossKind = "bce" | "mse";

/** The architecture of a model and its loss; plain data, as it is written into checkpoints. */
export interface DlrmConfig {
  /** Number of dense features F; 0 leaves out the bottom MLP. */
  readonly denseFeatures: number;
  /** Columns D of every table. */
  readonly embeddingDim: number;
  /** Output widths of the bottom MLP; the last is D. Empty if there are no dense features. */
  readonly bottomMlp: readonly number[];
  /** Output widths of the top MLP; the last is 1. */
  readonly topMlp: readonly number[];
  /** The categorical features. */
  readonly tables: readonly TableConfig[];
  /** How the vectors of a sample meet; default the dot interaction without self-interaction. */
  readonly interaction?: InteractionConfig;
  /** How the MLPs are drawn; default `dlrm`. */
  readonly mlpInitializer?: MlpInitializer;
  /** What training minimises: the binary cross-entropy, or the squared error of the probability. Default `bce`. */
  readonly loss?: LossKind;
  /** Factors of the cross-entropy of samples labelled 0 and 1; default 1 and 1. The mean is over samples, not over factors, as in DLRM's `wbce`. */
  readonly lossWeights?: readonly [number, number];
}

const INTERACTIONS: readonly InteractionConfig["kind"][] = ["dot", "cat", "cross"];
const LOSSES: readonly LossKind[] = ["bce", "mse"];
const INITIALIZERS: readonly MlpInitializer[] = ["dlrm", "he"];

/** Throws `E_OPTION` if the parts of a configuration do not fit together. */
export function validateDlrmConfig(config: DlrmConfig): void {
  const { denseFeatures, embeddingDim, bottomMlp, topMlp, tables, mlpInitializer = "dlrm" } = config;
  if (!(Number.isInteger(denseFeatures) && denseFeatures >= 0))
    fail(`denseFeatures = ${denseFeatures} is not a whole number of at least 0`);
  if (!(Number.isInteger(embeddingDim) && embeddingDim >= 1))
    fail(`embeddingDim = ${embeddingDim} is not a whole number of at least 1`);
  if (denseFeatures === 0 && bottomMlp.length > 0)
    fail(`a model without dense features has no bottom MLP, but bottomMlp = [${bottomMlp}]`);
  if (denseFeatures > 0 && bottomMlp.at(-1) !== embeddingDim) {
    fail(`the last width of bottomMlp = [${bottomMlp}] is not the embedding dimension, ${embeddingDim}`);
  }
  if (topMlp.at(-1) !== 1) fail(`the last width of topMlp = [${topMlp}] is not 1`);
  const names = new Set(tables.map(({ name }) => name));
  if (names.size !== tables.length) fail("two tables have the same name");
  // A dot would make the names of two tables' tensors ambiguous.
  for (const name of names)
    if (name === "" || name.includes(".")) fail(`"${name}" cannot name a table: it is empty or has a dot`);
  for (const table of tables) validateTable(table, embeddingDim);
  validateInteraction(config);
  if (!INITIALIZERS.includes(mlpInitializer)) fail(`mlpInitializer ${JSON.stringify(mlpInitializer)} is not dlrm or he`);
  validateLoss(config);
}

function validateLoss({ loss = "bce", lossWeights }: DlrmConfig): void {
  if (!LOSSES.includes(loss)) fail(`loss ${JSON.stringify(loss)} is not ${LOSSES.join(" or ")}`);
  if (lossWeights === undefined) return;
  if (loss !== "bce") fail(`lossWeights = [${lossWeights}] are for the loss bce, not for ${loss}`);
  if (lossWeights.length !== 2 || !lossWeights.every((weight) => Number.isFinite(weight) && weight >= 0))
    fail(`lossWeights = [${lossWeights}] are not two finite numbers of at least 0`);
}

function validateInteraction({ denseFeatures, tables, interaction = { kind: "dot" } }: DlrmConfig): void {
  if (!INTERACTIONS.includes(interaction.kind)) {
    fail(`the interaction is of kind ${JSON.stringify(interaction.kind)}; known are ${INTERACTIONS.join(", ")}`);
  }
  const kept = tables.filter(({ embedding }) => embedding.kind !== "removed").length;
  const vectors = kept + (denseFeatures > 0 ? 1 : 0);
  const needed = interaction.kind === "dot" && interaction.self !== true ? 2 : 1;
  if (vectors < needed) {
    const count = needed === 2 ? "two vectors" : "a vector";
    fail(`the ${interaction.kind} interaction needs ${count}; there are ${kept} tables`);
  }
  if (interaction.kind === "dot" && interaction.self !== undefined && typeof interaction.self !== "boolean")
    fail(`interaction.self = ${JSON.stringify(interaction.self)} is not true or false`);
  if (interaction.kind !== "cross") return;
  for (const [field, value] of Object.entries({ layers: interaction.layers, rank: interaction.rank })) {
    if (!(Number.isSafeInteger(value) && value >= 1)) fail(`interaction.${field} = ${value} is not a whole number of at least 1`);
  }
}

function fail(message: string): never {
  throw new TtError("E_OPTION", message);
}
