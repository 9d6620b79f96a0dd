import type { Runtime, UpdateRule } from "@tt-rec/tensor";
import { type BenchmarkCase, type BenchmarkResult, runBenchmark } from "@tt-rec/testing";
import { MLP_LAYERS, normal, reference, runtime } from "./setting.ts";

const [VECTORS, DIM] = [27, 16];
const WIDTH = DIM + (VECTORS * (VECTORS - 1)) / 2;

/** Cases of the engine and of plain TypeScript, compared. */
async function againstReference(
  id: string,
  parameters: Readonly<Record<string, number>>,
  work: { readonly amount: number; readonly unit: string },
  prepare: (owner: Runtime) => () => Promise<unknown>,
): Promise<BenchmarkResult[]> {
  const on = (owner: Runtime, name: string): BenchmarkCase => ({ name, engine: owner.kernels.engine, work, run: prepare(owner) });
  const cases = [on(runtime, "vs-reference"), on(reference, "reference")];
  return runBenchmark({ id, parameters, cases, rival: "reference", rounds: 7, minRoundMs: 25 });
}

/** DLRM's interaction for Kaggle: 27 vectors of 16 elements. */
async function interaction(batchSize: number): Promise<BenchmarkResult[]> {
  const parameters = { batchSize, vectors: VECTORS, dim: DIM };
  const flops = (batchSize * DIM * VECTORS * (VECTORS - 1)) / 1e9;
  const operands = (owner: Runtime) => {
    const vectors = Array.from({ length: VECTORS }, () => normal(owner, [batchSize, DIM]));
    return { vectors, gradients: vectors.map(({ shape }) => owner.tensor(shape)), rows: normal(owner, [batchSize, WIDTH]) };
  };
  const forward = (owner: Runtime) => {
    const { vectors, rows } = operands(owner);
    return () => owner.kernels.dotInteraction(vectors, true, rows);
  };
  const backward = (owner: Runtime) => {
    const { vectors, gradients, rows } = operands(owner);
    return () => owner.kernels.dotInteractionBackward(vectors, true, rows, gradients);
  };
  return [
    ...(await againstReference(`interaction/${batchSize}/forward`, parameters, { amount: flops, unit: "GFLOP" }, forward)),
    ...(await againstReference(`interaction/${batchSize}/backward`, parameters, { amount: 2 * flops, unit: "GFLOP" }, backward)),
  ];
}

/** A pass over all weights of the MLPs, and the sum of squares of their gradients. */
async function update(): Promise<BenchmarkResult[]> {
  const elements = MLP_LAYERS.reduce((sum, [inputs, outputs]) => sum + inputs * outputs, 0);
  const work = { amount: elements / 1e6, unit: "Melement" };
  const prepare = (rule: UpdateRule) => (owner: Runtime) => {
    const parameters = MLP_LAYERS.map(([inputs, outputs]) => {
      const shape = [outputs, inputs];
      const state = owner.tensor(rule.kind === "rowWiseAdagrad" ? [outputs] : shape);
      return { weights: normal(owner, shape), gradient: normal(owner, shape), state };
    });
    return () => owner.kernels.update(rule, parameters);
  };
  const results: BenchmarkResult[] = [];
  for (const kind of ["sgd", "adagrad", "rowWiseAdagrad"] as const) {
    results.push(...(await againstReference(`update/${kind}`, { elements }, work, prepare({ kind, learningRate: 1e-6 }))));
  }
  const squares = (owner: Runtime) => {
    const gradients = MLP_LAYERS.map(([inputs, outputs]) => normal(owner, [outputs, inputs]));
    return () => owner.kernels.sumsOfSquares(gradients);
  };
  return [...results, ...(await againstReference("squares", { elements }, work, squares))];
}

/** Everything about layers besides their products. */
export async function layers(): Promise<BenchmarkResult[]> {
  return [...(await interaction(128)), ...(await interaction(2048)), ...(await update())];
}
