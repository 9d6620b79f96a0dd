import { createRng } from "@tt-rec/tensor";
import { type BenchmarkResult, report, runBenchmark, saveResults } from "@tt-rec/testing";
import { createTTShape, initializeCores, KAGGLE_CARDINALITIES, suggestShape, toDense, ttSvd } from "../src/index.ts";
import { mlMatrixTtSvd } from "./ml-matrix-tt-svd.ts";
import { partitionShape } from "./partition-shape.ts";

const sizes = KAGGLE_CARDINALITIES;
const rng = createRng(2021);
const results: BenchmarkResult[] = [];

results.push(
  ...(await runBenchmark({
    id: "tt-math/suggest-shape",
    parameters: { sizes: sizes.length, cores: 3 },
    rival: "partitions",
    cases: [
      {
        name: "branch-and-bound",
        engine: "tt-math",
        work: { amount: sizes.length, unit: "shapes" },
        run: () => sizes.map((rows) => suggestShape(rows, 3)),
      },
      {
        name: "partitions",
        engine: "partitions, duplicates merged",
        work: { amount: sizes.length, unit: "shapes" },
        run: () => sizes.map((rows) => partitionShape(rows, 3)),
      },
    ],
  })),
);

const svdCases: [number[], number[], number][] = [
  [[9, 10, 11], [2, 2, 4], 8],
  [[20, 20, 25], [2, 2, 4], 16],
];
for (const [rowShape, columnShape, maxRank] of svdCases) {
  const numEmbeddings = rowShape.reduce((a, b) => a * b);
  const matrix = Float64Array.from({ length: numEmbeddings * 16 }, () => rng.normal());
  const options = { numEmbeddings, rowShape, columnShape, maxRank };
  results.push(
    ...(await runBenchmark({
      id: `tt-math/tt-svd/${numEmbeddings}x16`,
      parameters: { rowShape: rowShape.join("x"), columnShape: columnShape.join("x"), maxRank },
      rival: "vs-ml-matrix",
      rounds: 5,
      cases: [
        { name: "qr-jacobi", engine: "tt-math", run: () => ttSvd(matrix, options) },
        { name: "vs-ml-matrix", engine: "ml-matrix", run: () => mlMatrixTtSvd(matrix, options) },
      ],
    })),
  );
}

for (const embeddingDim of [16, 64]) {
  for (const ranks of [16, 32]) {
    const shape = createTTShape({ numEmbeddings: 142_572, embeddingDim, ranks });
    const cores = initializeCores(shape, rng, { kind: "sampled-gaussian", scaling: "variance-matched" });
    results.push(
      ...(await runBenchmark({
        id: `tt-math/to-dense/D${embeddingDim}/R${ranks}`,
        parameters: { rows: shape.numEmbeddings, embeddingDim, ranks },
        rounds: 5,
        cases: [
          {
            name: "table",
            engine: "tt-math",
            work: { amount: shape.numEmbeddings / 1e6, unit: "Mrow" },
            run: () => toDense({ shape, cores }),
          },
        ],
      })),
    );
  }
}

console.log(report(results));
await saveResults(results);
