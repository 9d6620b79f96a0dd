// Plans the embeddings of a model for a byte budget: which tables become TT-cores, at which rank, and how many hot rows a cache holds.
//   node examples/plan-budget.mjs 20000000     plans Criteo Kaggle's 26 tables for 20 MB
import { KAGGLE_CARDINALITIES, planCompression } from "@tt-rec/tt-math";

const budgetBytes = Number(process.argv[2] ?? 20e6);
// With the accesses of each row a plan spends bytes on caches as well; here clicks follow a power law.
const histograms = KAGGLE_CARDINALITIES.map((rows) => new Float32Array(rows).map((_, row) => (row + 1) ** -1.05));
const plan = planCompression({ numEmbeddings: KAGGLE_CARDINALITIES, embeddingDim: 16, budgetBytes, histograms });
for (const { index, numEmbeddings, kind, shape, bytes, cacheRows } of plan.tables) {
  const how =
    kind === "tt"
      ? `TT ${shape.rowShape.join(" x ")}, R = ${Math.max(...shape.ranks)}, ${cacheRows} rows cached`
      : "uncompressed";
  console.log(`C${index + 1}: ${numEmbeddings} rows, ${bytes} bytes, ${how}`);
}
console.log(`${plan.uncompressedBytes} bytes become ${plan.bytes}: ${plan.ratio.toFixed(1)}x`);
