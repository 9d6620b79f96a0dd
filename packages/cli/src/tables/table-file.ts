import { basename, dirname } from "node:path";
import {
  type HostTensor,
  type ReadAt,
  readSafetensorsEntry,
  readSafetensorsHeader,
  type SafetensorsEntry,
  TtError,
} from "@tt-rec/tensor";
import { nodeDirectory } from "@tt-rec/tensor/node";
import { type RowSource, rowsInFile } from "@tt-rec/tt-math";
import { isNpy, readNpyHeader, readNpyNumbers } from "./npy-header.ts";

/** A file of trained tables: a model as safetensors, or one table as .npy. */
export interface TableFile {
  /** The tensors, in the order of their bytes. */
  readonly tensors: readonly SafetensorsEntry[];
  /** The rows of a tensor of two axes in float32 or float16. */
  rows(tensor: SafetensorsEntry): RowSource;
  /** A tensor as it is. */
  read(tensor: SafetensorsEntry): Promise<HostTensor>;
}

/** Element types of tables, by their names in .npy files. */
const NPY_TYPES = new Map([
  ["f4", { dtype: "F32", bytes: 4 }],
  ["f2", { dtype: "F16", bytes: 2 }],
] as const);

/** Opens a file of tables; its first bytes tell its format. Throws E_NOT_FOUND, E_CORRUPT. */
export async function openTableFile(path: string): Promise<TableFile> {
  const file = await openFile(path);
  const tensors = (await isNpy(file)) ? [await npyEntry(file, path)] : (await readSafetensorsHeader(file)).entries;
  return {
    tensors,
    rows({ shape, dtype, byteOffset }) {
      const [numEmbeddings, embeddingDim] = shape;
      return rowsInFile(file, { numEmbeddings, embeddingDim, byteOffset, dtype: dtype === "F16" ? "F16" : "F32" });
    },
    read: (tensor) => readSafetensorsEntry(file, tensor),
  };
}

/**
 * Reads access counts: an .npy file for the only table, or a safetensors file with a tensor of each table's name.
 * Throws E_SHAPE where a table has no counts, or not one a row.
 */
export async function readCounts(path: string, tables: readonly SafetensorsEntry[]): Promise<Map<string, Float64Array>> {
  const file = await openFile(path);
  const counts = new Map<string, Float64Array>();
  if (await isNpy(file)) {
    if (tables.length !== 1) {
      throw new TtError(
        "E_SHAPE",
        `${path} has the counts of one table, ${tables.length} are to be compressed; choose with --tables`,
      );
    }
    counts.set(tables[0].name, await readNpyNumbers(file));
  } else {
    for (const entry of (await readSafetensorsHeader(file)).entries) {
      const { data } = await readSafetensorsEntry(file, entry);
      if (entry.dtype !== "F16") counts.set(entry.name, Float64Array.from(data));
    }
  }
  for (const { name, shape } of tables) {
    const found = counts.get(name)?.length ?? 0;
    if (found !== shape[0]) throw new TtError("E_SHAPE", `${path} has ${found} counts for the ${shape[0]} rows of ${name}`);
  }
  return counts;
}

function openFile(path: string): Promise<ReadAt> {
  return nodeDirectory(dirname(path)).read(basename(path));
}

async function npyEntry(file: ReadAt, path: string): Promise<SafetensorsEntry> {
  const { dtype, shape, byteOffset } = await readNpyHeader(file);
  const type = [...NPY_TYPES].find(([name]) => name === dtype)?.[1];
  if (type === undefined || shape.length !== 2) {
    throw new TtError("E_SHAPE", `${path} holds ${dtype} [${shape}]; a table has two axes, in f4 or f2`);
  }
  const byteLength = shape[0] * shape[1] * type.bytes;
  if (file.byteLength - byteOffset !== byteLength) {
    throw new TtError("E_CORRUPT", `${path} has ${file.byteLength - byteOffset} bytes of data, ${byteLength} were expected`, {
      file: path,
    });
  }
  return { name: basename(path).replace(/\.npy$/, ""), dtype: type.dtype, shape, byteOffset, byteLength };
}
