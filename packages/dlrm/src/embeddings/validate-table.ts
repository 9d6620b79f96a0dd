import { TtError } from "@tt-rec/tensor";
import type { EmbeddingConfig, TableConfig } from "./embedding-config.ts";

/** Every way of storing a table. */
const EMBEDDING_KINDS: readonly EmbeddingConfig["kind"][] = [
  "dense",
  "tt",
  "hash",
  "quotient-remainder",
  "mixed-dimension",
  "low-rank",
  "hot-rows",
  "removed",
];

const POOLINGS = ["sum", "mean", "max"];
const OPERATIONS = ["mult", "add", "concat"];

/** Throws `E_OPTION` if a table cannot be stored as asked; what TT shapes and caches need is left to them. */
export function validateTable({ name, numEmbeddings, embedding, pooling = "sum" }: TableConfig, embeddingDim: number): void {
  const fail = (message: string): never => {
    throw new TtError("E_OPTION", `table ${name}: ${message}`, { tensor: name });
  };
  const within = (field: string, value: number, largest: number, what: string): void => {
    if (!(Number.isSafeInteger(value) && value >= 1 && value <= largest)) {
      fail(`${field} = ${value} is not a whole number from 1 to ${what}, ${largest}`);
    }
  };
  // Configurations come from JSON, where a kind can be anything.
  if (!EMBEDDING_KINDS.includes(embedding.kind)) {
    fail(`its embedding is of kind ${JSON.stringify(embedding.kind)}; known are ${EMBEDDING_KINDS.join(", ")}`);
  }
  if (!POOLINGS.includes(pooling)) fail(`pooling ${JSON.stringify(pooling)} is not known; known are ${POOLINGS.join(", ")}`);
  switch (embedding.kind) {
    case "hash":
      within("rows", embedding.rows, numEmbeddings, "the number of ids");
      if (embedding.seed !== undefined && !Number.isSafeInteger(embedding.seed))
        fail(`seed = ${embedding.seed} is not a whole number`);
      break;
    case "quotient-remainder": {
      const { collisions, operation = "mult" } = embedding;
      within("collisions", collisions, numEmbeddings, "the number of ids");
      if (!OPERATIONS.includes(operation)) {
        fail(`operation ${JSON.stringify(operation)} is not known; known are ${OPERATIONS.join(", ")}`);
      }
      if (operation === "concat" && embeddingDim < 2) fail("concat needs an embedding dimension of at least 2");
      break;
    }
    case "mixed-dimension":
      within("dimension", embedding.dimension, embeddingDim, "the embedding dimension");
      break;
    case "low-rank":
      within("rank", embedding.rank, embeddingDim, "the embedding dimension");
      break;
    case "hot-rows": {
      const { rows, ids } = embedding;
      within("rows", rows, numEmbeddings, "the number of ids");
      if (ids === undefined) break;
      if (ids.length !== rows) fail(`there are ${ids.length} ids for ${rows} rows`);
      const bad = ids.findIndex((id, i) => !(Number.isInteger(id) && id > (ids[i - 1] ?? -1) && id < numEmbeddings));
      if (bad >= 0) fail(`ids[${bad}] = ${ids[bad]} does not rise below the number of ids, ${numEmbeddings}`);
    }
  }
}
