import {
  type Directory,
  type HostTensor,
  isTtError,
  readBytes,
  readSafetensors,
  sha256,
  TtError,
  writeSafetensors,
} from "@tt-rec/tensor";
import { idColumnKinds } from "../log/log-schema.ts";
import type { DictionaryFile, Manifest } from "../manifest/manifest.ts";

/** Name of the file with the dictionary of an id column. */
export function dictionaryFile(column: number): string {
  return `dictionary-${String(column).padStart(2, "0")}.safetensors`;
}

/** One id column as it was saved. */
export interface SavedDictionary {
  /** Words of the raw values in the order of their indices, from index 1: one a value, two (low, high) in a wide column. */
  readonly values: Uint32Array;
  /** Occurrences of each index in training rows, from index 0. */
  readonly counts: Uint32Array;
}

/** Saves the dictionary of a column: tensors `values` and `counts`. A column each has a file, which bounds the memory. */
export async function saveDictionary(
  directory: Directory,
  column: number,
  { values, counts }: SavedDictionary,
): Promise<DictionaryFile> {
  const tensors = new Map<string, HostTensor>([
    ["values", { dtype: "U32", shape: [values.length], data: values }],
    ["counts", { dtype: "U32", shape: [counts.length], data: counts }],
  ]);
  return directory.commit(dictionaryFile(column), writeSafetensors(tensors));
}

/** Loads the dictionary of a column. Throws `E_CORRUPT` unless the bytes and the sizes are those of the manifest. */
export async function loadDictionary(directory: Directory, manifest: Manifest, column: number): Promise<SavedDictionary> {
  const file = manifest.dictionaries[column];
  const dictionary = await readDictionary(directory, file);
  const cardinality = manifest.cardinalities[column];
  const { words } = idColumnKinds(manifest.schema)[column];
  // Hashed ids need no values.
  const values = manifest.options.hashSize === null ? cardinality - 1 : 0;
  checkLength(dictionary.values, values * words, file.name, "values");
  checkLength(dictionary.counts, cardinality, file.name, "counts");
  return dictionary;
}

/** Reads a file of a dictionary. Throws `E_CORRUPT` unless its bytes have the checksum. */
export async function readDictionary(directory: Directory, { name, sha256: expected }: DictionaryFile): Promise<SavedDictionary> {
  const bytes = await wholeFile(directory, name);
  if ((await sha256(bytes)) !== expected) {
    throw new TtError("E_CORRUPT", `${name} does not match its checksum in the manifest`, { file: name });
  }
  const { tensors } = await readSafetensors(readBytes(bytes));
  return { values: unsigned(tensors.get("values"), name, "values"), counts: unsigned(tensors.get("counts"), name, "counts") };
}

async function wholeFile(directory: Directory, name: string): Promise<Uint8Array> {
  try {
    const file = await directory.read(name);
    return await file.slice(0, file.byteLength);
  } catch (error) {
    if (!isTtError(error) || error.code !== "E_NOT_FOUND") throw error;
    throw new TtError("E_CORRUPT", `the manifest lists ${name}, which is missing`, { file: name }, { cause: error });
  }
}

function unsigned(tensor: HostTensor | undefined, file: string, name: string): Uint32Array {
  if (tensor?.dtype !== "U32") {
    throw new TtError("E_CORRUPT", `${file} has no unsigned numbers as ${name}`, { file, tensor: name });
  }
  return tensor.data as Uint32Array;
}

function checkLength(numbers: Uint32Array, length: number, file: string, name: string): void {
  if (numbers.length === length) return;
  throw new TtError("E_CORRUPT", `${file} has ${numbers.length} ${name}, the manifest says ${length}`, { file, tensor: name });
}
