import { type NamedTensors, readBytes, readSafetensors, writeSafetensors } from "@tt-rec/tensor";
import { type BenchmarkResult, runBenchmark } from "@tt-rec/testing";
import { normal, runtime } from "./setting.ts";

/** A file of one large tensor and many small ones, against a copy of its bytes into memory that is there already. */
export async function safetensors(): Promise<BenchmarkResult[]> {
  const tensors: NamedTensors = new Map(
    [[250_007, 32], ...new Array<number[]>(200).fill([17, 13])].map(
      (shape, i) => [`tensor.${i}`, { dtype: "F32", shape, data: normal(runtime, shape).data }] as const,
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
export async function scratch(): Promise<BenchmarkResult[]> {
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
