// Compresses a table of embeddings, a .npy file in float32, into TT-cores with a given relative error, without reading it all at once.
//   node examples/compress-npy.mjs table.npy small.safetensors 0.1     without arguments: a table that it makes itself
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { createRng, Runtime, writeSafetensors } from "@tt-rec/tensor";
import { nodeDirectory } from "@tt-rec/tensor/node";
import {
  approximationError,
  createTTShape,
  dequantizeCores,
  encodeTables,
  initializeCores,
  quantizeCores,
  rowsInFile,
  streamedTTSvd,
  toDense,
} from "@tt-rec/tt-math";

const [input = await makeTable(), output = `${input}.safetensors`, epsilon = "0.05"] = process.argv.slice(2);

const file = await nodeDirectory(dirname(input)).read(basename(input));
const { numEmbeddings, embeddingDim, byteOffset } = await readHeader(file);
const source = rowsInFile(file, { numEmbeddings, embeddingDim, byteOffset, dtype: "F32" });
const runtime = await Runtime.create();
const { rowShape, columnShape } = createTTShape({ numEmbeddings, embeddingDim, ranks: 1 });
const found = await streamedTTSvd(runtime, source, { rowShape, columnShape, epsilon: Number(epsilon) }, createRng(1));
const stored = quantizeCores(found, "int8");
const { relativeError } = await approximationError(runtime, source, dequantizeCores(stored));
const { tensors, metadata } = encodeTables(new Map([["table", stored]]));
const { byteLength } = await nodeDirectory(dirname(output)).commit(basename(output), writeSafetensors(tensors, metadata));
console.log(
  `${numEmbeddings} x ${embeddingDim}, ${4 * numEmbeddings * embeddingDim} bytes, as ${rowShape.join(" x ")} of ranks ${found.shape.ranks}`,
);
console.log(`${output}: ${byteLength} bytes, relative error ${relativeError.toFixed(4)}`);
await runtime.close();

/** Extents and start of the numbers of a .npy file of version 1. */
async function readHeader(npy) {
  const head = new TextDecoder("latin1").decode(await npy.slice(0, Math.min(npy.byteLength, 4096)));
  const shape = /^.NUMPY.*'descr': '<f4'.*'fortran_order': False.*'shape': \((\d+), (\d+)\)/s.exec(head);
  if (shape === null) throw new Error("not a .npy file, version 1, of a matrix in little-endian float32");
  const length = head.charCodeAt(8) + 256 * head.charCodeAt(9);
  return { numEmbeddings: Number(shape[1]), embeddingDim: Number(shape[2]), byteOffset: 10 + length };
}

/** A table of low rank with a little noise, as .npy. */
async function makeTable() {
  const [rows, columns] = [20_000, 16];
  const rng = createRng(7);
  const shape = createTTShape({ numEmbeddings: rows, embeddingDim: columns, ranks: 8 });
  const cores = initializeCores(shape, rng, { kind: "gaussian", standardDeviation: 1 });
  const table = toDense({ shape, cores }).map((value) => value + 0.01 * rng.normal());
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${rows}, ${columns}), }`.padEnd(117);
  const path = join(await mkdtemp(join(tmpdir(), "tt-rec-example-")), "table.npy");
  await writeFile(path, Buffer.concat([Buffer.from(`\x93NUMPY\x01\0\x76\0${header}\n`, "latin1"), Buffer.from(table.buffer)]));
  return path;
}
