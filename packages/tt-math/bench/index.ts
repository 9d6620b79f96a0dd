import { createRng } from "@tt-rec/tensor";
import { type BenchmarkResult, report, runBenchmark, saveResults } from "@tt-rec/testing";
import { Matrix, QrDecomposition, SingularValueDecomposition } from "ml-matrix";
import { createTTShape, initializeCores, KAGGLE_CARDINALITIES, suggestShape, toDense, ttSvd, weightedFit } from "../src/index.ts";
import { leftSingularVectors } from "../src/linear-algebra/left-singular-vectors.ts";
import { qr } from "../src/linear-algebra/qr.ts";
import { mlMatrixTtSvd } from "./ml-matrix-tt-svd.ts";
import { partitionShape } from "./partition-shape.ts";
import { againstPython } from "./python-rival.ts";

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

for (const [rows, columns] of [
  [400, 2000],
  [2048, 64],
]) {
  const matrix = Float64Array.from({ length: rows * columns }, () => rng.normal());
  const oracle = Matrix.from1DArray(rows, columns, matrix);
  results.push(
    ...(await runBenchmark({
      id: `tt-math/svd/${rows}x${columns}`,
      parameters: { rows, columns },
      rival: "vs-ml-matrix",
      rounds: 3,
      cases: [
        {
          name: "qr-jacobi",
          engine: "tt-math",
          run: () => leftSingularVectors(matrix, rows, columns).vectors(Math.min(rows, columns)),
        },
        {
          name: "vs-ml-matrix",
          engine: "ml-matrix",
          run: () => new SingularValueDecomposition(oracle, { autoTranspose: true, computeRightSingularVectors: false }),
        },
      ],
    })),
  );
}
{
  const [rows, columns] = [2048, 64];
  const matrix = Float64Array.from({ length: rows * columns }, () => rng.normal());
  const oracle = Matrix.from1DArray(rows, columns, matrix);
  results.push(
    ...(await runBenchmark({
      id: `tt-math/qr/${rows}x${columns}`,
      parameters: { rows, columns },
      rival: "vs-ml-matrix",
      rounds: 5,
      cases: [
        { name: "householder", engine: "tt-math", run: () => qr(matrix, rows, columns) },
        {
          name: "vs-ml-matrix",
          engine: "ml-matrix",
          run: () => {
            const found = new QrDecomposition(oracle);
            return [found.orthogonalMatrix, found.upperTriangularMatrix];
          },
        },
      ],
    })),
  );
}

const [like] = results;
for (const [rowShape, columnShape, maxRank] of svdCases) {
  const numEmbeddings = rowShape.reduce((a, b) => a * b);
  const matrix = Float64Array.from({ length: numEmbeddings * 16 }, () => rng.normal());
  const rival = {
    id: `tt-math/tt-svd-python/${numEmbeddings}x16`,
    name: "numpy",
    args: ["tt-svd", rowShape.join(), columnShape.join(), String(maxRank)],
    parameters: { rowShape: rowShape.join("x"), columnShape: columnShape.join("x"), maxRank },
    run: () => ttSvd(matrix, { numEmbeddings, rowShape, columnShape, maxRank }),
  };
  results.push(...againstPython(rival, like));
}
{
  // Sizes whose round-ups have few prime factors: the reference takes minutes for some others.
  const chosen = sizes;
  const rival = {
    id: "tt-math/suggest-shape-python",
    name: "reference",
    args: ["suggest", "3", chosen.join()],
    parameters: { sizes: chosen.length, cores: 3 },
    run: () => chosen.map((rows) => suggestShape(rows, 3)),
  };
  results.push(...againstPython(rival, like));
}

for (const ranks of [8, 16]) {
  const shape = createTTShape({ numEmbeddings: 40_981, embeddingDim: 16, ranks });
  const { rowShape, columnShape, numEmbeddings } = shape;
  const table = Float32Array.from({ length: numEmbeddings * 16 }, () => rng.normal());
  const counts = Float64Array.from({ length: numEmbeddings }, (_, i) => 1e5 / (1 + ((i * 7919) % numEmbeddings)));
  const start = ttSvd(table, { numEmbeddings, rowShape, columnShape, maxRank: ranks });
  results.push(
    ...(await runBenchmark({
      id: `tt-math/weighted-fit/40981x16/R${ranks}`,
      parameters: { rows: numEmbeddings, embeddingDim: 16, ranks },
      rounds: 3,
      cases: [{ name: "sweep", engine: "tt-math", run: () => weightedFit(table, counts, start, { sweeps: 1 }) }],
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
