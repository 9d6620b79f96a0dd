import { type Batch, Dlrm, type DlrmConfig, type OptimizerConfig } from "@tt-rec/dlrm";
import { createRng, type Runtime } from "@tt-rec/tensor";
import { KAGGLE_CARDINALITIES } from "@tt-rec/tt-math";
import { type Draw, uniformIds, zipfIds } from "../common/ids.ts";
import { topTables } from "../common/top-tables.ts";
import { BOTTOM, TOP } from "./mlp-shapes.ts";

/** The largest tables are in TT format. */
const TT_TABLES = 7;
const TT_RANKS = 32;
const FEATURES = BOTTOM[0];
/** Batches that a case goes through in turn, as in the peers. */
const BATCHES = 64;
const OPTIMIZER: OptimizerConfig = { kind: "sgd", learningRate: 0.01 };

/** How ids of all tables are drawn. */
export type TableIds = "uniform" | "zipf";

/** The model of Criteo Kaggle, uncompressed or with its seven largest tables in TT format. */
export function kaggleModel(runtime: Runtime, tables: "dense" | "tt"): Dlrm {
  const config: DlrmConfig = {
    denseFeatures: FEATURES,
    embeddingDim: BOTTOM[BOTTOM.length - 1],
    bottomMlp: BOTTOM.slice(1),
    topMlp: TOP.slice(1),
    tables: topTables(KAGGLE_CARDINALITIES, tables === "tt" ? TT_TABLES : 0, () => ({ kind: "tt", ranks: TT_RANKS })),
  };
  return new Dlrm(runtime, config, createRng(1));
}

/** Batches of one id a table, by batch size and kind; drawn once for all models of a session. */
export function createBatchStore(): (size: number, ids: TableIds) => readonly Batch[] {
  const draws = new Map<TableIds, readonly Draw[]>();
  const stored = new Map<string, readonly Batch[]>();
  return (size, ids) => {
    const key = `${ids}/${size}`;
    const known = stored.get(key);
    if (known !== undefined) return known;
    const drawOne = ids === "uniform" ? uniformIds : zipfIds;
    const tables = draws.get(ids) ?? KAGGLE_CARDINALITIES.map((rows, t) => drawOne(rows, createRng(7, t)));
    draws.set(ids, tables);
    const made = drawBatches(size, tables);
    stored.set(key, made);
    return made;
  };
}

/** A function that trains on the next batch at each call. */
export function trainCall(model: Dlrm, batches: readonly Batch[]): () => Promise<number> {
  let next = 0;
  return () => model.train(batches[next++ % batches.length], OPTIMIZER);
}

function drawBatches(size: number, tables: readonly Draw[]): Batch[] {
  const rng = createRng(2021);
  return Array.from({ length: BATCHES }, () => ({
    size,
    labels: Float32Array.from({ length: size }, () => (rng.uniform() < 0.5 ? 1 : 0)),
    dense: Float32Array.from({ length: size * FEATURES }, rng.uniform),
    bags: tables.map((draw) => ({ indices: draw(size) })),
  }));
}
