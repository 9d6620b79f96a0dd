import {
  createRng,
  type GemmLayout,
  type NamedTensors,
  Runtime,
  readBytes,
  readSafetensors,
  type Tensor,
  writeSafetensors,
} from "@tt-rec/tensor";
import { type BenchmarkResult, report, runBenchmark, saveResults } from "@tt-rec/testing";
import { naiveGemm } from "./naive-gemm.ts";

const runtime = await Runtime.create();
const rng = createRng(1);

function normal(shape: readonly number[]): Tensor {
  const tensor = runtime.tensor(shape);
  const { data } = tensor;
  for (let i = 0; i < data.length; i++) data[i] = rng.normal();
  return tensor;
}

/** The first layer of DLRM's top MLP for Kaggle: 128 samples, 367 inputs, 512 outputs. */
async function gemm(layout: GemmLayout): Promise<BenchmarkResult[]> {
  const extents = { m: 128, n: 512, k: 367 };
  const { m, n, k } = extents;
  const a = normal(layout === "tn" ? [k, m] : [m, k]);
  const b = normal(layout === "nt" ? [n, k] : [k, n]);
  const [out, expected] = [runtime.tensor([m, n]), runtime.tensor([m, n])];
  const work = { amount: (2 * m * n * k) / 1e9, unit: "GFLOP" };
  return runBenchmark({
    id: `gemm/${layout}/128x512x367`,
    parameters: { layout, ...extents },
    phase: "gemm",
    cases: [
      { name: "vs-naive", engine: runtime.kernels.engine, work, run: () => runtime.kernels.gemm(layout, a, b, out) },
      { name: "naive", engine: "naive", work, run: () => naiveGemm[layout](a.data, b.data, expected.data, extents) },
    ],
    rival: "naive",
    rounds: 9,
  });
}

/** A file of one large tensor and many small ones, against a copy of its bytes into memory that is there already. */
async function safetensors(): Promise<BenchmarkResult[]> {
  const tensors: NamedTensors = new Map(
    [[250_007, 32], ...new Array<number[]>(200).fill([17, 13])].map(
      (shape, i) => [`tensor.${i}`, { dtype: "F32", shape, data: normal(shape).data }] as const,
    ),
  );
  let byteLength = 0;
  for await (const piece of writeSafetensors(tensors)) byteLength += piece.length;
  const [file, target] = [new Uint8Array(byteLength), new Uint8Array(byteLength)];
  const write = async (into: Uint8Array): Promise<void> => {
    let offset = 0;
    for await (const piece of writeSafetensors(tensors)) {
      into.set(piece, offset);
      offset += piece.length;
    }
  };
  await write(file);
  const work = { amount: byteLength / 1e6, unit: "MB" };
  return runBenchmark({
    id: "safetensors/32MB",
    parameters: { tensors: tensors.size, bytes: byteLength },
    phase: "file",
    cases: [
      { name: "write", engine: "tensor", work, run: () => write(target) },
      { name: "read", engine: "tensor", work, run: () => readSafetensors(readBytes(file)) },
      { name: "copy", engine: "set", work, run: () => target.set(file) },
    ],
    rival: "copy",
    rounds: 9,
    minRoundMs: 150,
  });
}

/** The scratch tensors of a small training step, against arrays of their own. */
async function scratch(): Promise<BenchmarkResult[]> {
  const shapes = [512, 256, 64, 16, 367, 512, 256, 1].map((width) => [128, width]);
  const work = { amount: shapes.length / 1e6, unit: "Mtensor" };
  return runBenchmark({
    id: "scratch/8-layers",
    parameters: { tensors: shapes.length, batchSize: 128 },
    phase: "allocate",
    cases: [
      {
        name: "vs-new",
        engine: "arena",
        work,
        run: () => runtime.step(async () => shapes.map((shape) => runtime.scratch(shape)).length),
      },
      { name: "new", engine: "Float32Array", work, run: () => shapes.map(([rows, columns]) => new Float32Array(rows * columns)) },
    ],
    rival: "new",
    rounds: 9,
  });
}

const results = [
  ...(await gemm("nn")),
  ...(await gemm("nt")),
  ...(await gemm("tn")),
  ...(await safetensors()),
  ...(await scratch()),
];
console.log(report(results));
await saveResults(results);
