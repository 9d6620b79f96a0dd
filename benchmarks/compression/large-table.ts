/**
 * Compresses a 10,131,227 x 16 float32 table of known TT-rank plus noise from a file, and says time, peak memory and error, beside
 * numpy's randomised SVD of the same unfoldings where Python is present. Each part runs in a process of its own.
 */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, existsSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { createRng, Runtime } from "@tt-rec/tensor";
import { nodeDirectory } from "@tt-rec/tensor/node";
import { compressionRatio, createTTShape, initializeCores, rowsInFile, streamedTTSvd, toDense } from "@tt-rec/tt-math";

const ROWS = 10_131_227;
const DIM = 16;
const RANK = 16;
const NOISE = 0.01;

const { values } = parseArgs({
  options: {
    folder: { type: "string", default: "." },
    epsilon: { type: "string", default: "0.015" },
    threads: { type: "string", default: String(Math.min(2, availableParallelism())) },
    part: { type: "string" },
  },
});
const file = join(values.folder, "large-table.f32");
const shape = createTTShape({ numEmbeddings: ROWS, embeddingDim: DIM, ranks: RANK });

/** Writes the table slab by slab: cores of variance-matched Gaussian numbers, and noise of 1 % of their deviation. */
async function generate(): Promise<void> {
  const cores = initializeCores(shape, createRng(1), { kind: "sampled-gaussian", scaling: "variance-matched" });
  const rng = createRng(2);
  const noise = Float32Array.from({ length: 1 << 20 }, () => rng.normal());
  const deviation = NOISE / Math.sqrt(3 * ROWS);
  const out = createWriteStream(file);
  const slabRows = shape.rowShape[1] * shape.rowShape[2];
  const [p, , q, right] = [shape.rowShape[0], 1, shape.columnShape[0], shape.ranks[1]];
  for (let digit = 0; digit < p && digit * slabRows < ROWS; digit++) {
    const rows = Math.min(slabRows, ROWS - digit * slabRows);
    const slab = { ...shape, numEmbeddings: rows, rowShape: [1, ...shape.rowShape.slice(1)] };
    const first = cores[0].slice(digit * q * right, (digit + 1) * q * right);
    const table = toDense({ shape: slab, cores: [first, ...cores.slice(1)] });
    // A million normal numbers, begun anywhere in the list for each row of the table's columns: no structure of low rank.
    for (let row = 0; row < rows; row++) {
      const at = rng.uint32();
      const sign = at & 1 ? deviation : -deviation;
      for (let c = 0; c < DIM; c++) table[row * DIM + c] += sign * noise[(at + c) & (noise.length - 1)];
    }
    if (!out.write(new Uint8Array(table.buffer))) await once(out, "drain");
  }
  out.end();
  await once(out, "finish");
}

async function compress(): Promise<void> {
  setFlagsFromString("--experimental-wasm-relaxed-simd");
  const runtime = await Runtime.create({ threads: Number(values.threads) });
  const source = rowsInFile(await nodeDirectory(dirname(file)).read(basename(file)), {
    numEmbeddings: ROWS,
    embeddingDim: DIM,
    byteOffset: 0,
    dtype: "F32",
  });
  const { rowShape, columnShape } = shape;
  const start = performance.now();
  const cpu = process.cpuUsage();
  const found = await streamedTTSvd(runtime, source, { rowShape, columnShape, epsilon: Number(values.epsilon) }, createRng(3));
  const seconds = (performance.now() - start) / 1000;
  const used = process.cpuUsage(cpu);
  console.log(
    JSON.stringify({
      engine: runtime.kernels.engine,
      threads: runtime.threads,
      seconds: Number(seconds.toFixed(2)),
      cpuSeconds: Number(((used.user + used.system) / 1e6).toFixed(2)),
      peakRssMB: Math.round(process.resourceUsage().maxRSS / 1000),
      epsilon: Number(values.epsilon),
      relativeError: found.relativeError,
      ranks: found.shape.ranks,
      ratio: Number(compressionRatio(found.shape).toFixed(1)),
    }),
  );
  await runtime.close();
}

function runPart(part: string): void {
  spawnSync(process.execPath, [fileURLToPath(import.meta.url), ...process.argv.slice(2), "--part", part], { stdio: "inherit" });
}

if (values.part === "generate") await generate();
else if (values.part === "compress") await compress();
else {
  const bytes = 4 * ROWS * DIM;
  if (!existsSync(file) || statSync(file).size !== bytes) runPart("generate");
  runPart("compress");
  const rival = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "compression", "randomised-svd.py");
  const args = [rival, file, String(ROWS), String(DIM), shape.rowShape.join(), shape.columnShape.join(), String(RANK)];
  const { error } = spawnSync("/usr/bin/python3", args, { stdio: "inherit" });
  if (error !== undefined) console.log("numpy's part is left out: there is no /usr/bin/python3");
}
