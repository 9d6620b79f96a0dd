import { type Directory, type HostTensor, readBytes, readSafetensors, sha256, TtError, writeSafetensors } from "@tt-rec/tensor";
import type { Manifest } from "../manifest/manifest.ts";
import type { Dictionary } from "./dictionary.ts";

/** Name of the file of dictionaries in a data set. */
export const DICTIONARIES_FILE = "dictionaries.safetensors";

/** One id column as it was saved. */
export interface SavedDictionary {
  /** Raw values in the order of their indices, from index 1. */
  readonly values: Uint32Array;
  /** Occurrences of each index in training rows, from index 0. */
  readonly counts: Uint32Array;
}

/** Saves the dictionaries: tensors `values.<column>` and `counts.<column>`. Returns the file's name and checksum. */
export async function saveDictionaries(
  directory: Directory,
  columns: readonly string[],
  dictionaries: readonly Dictionary[],
): Promise<Manifest["dictionaries"]> {
  const tensors = new Map<string, HostTensor>();
  for (const [index, column] of columns.entries()) {
    const values = dictionaries[index].values();
    const counts = dictionaries[index].counts();
    tensors.set(`values.${column}`, { dtype: "U32", shape: [values.length], data: values });
    tensors.set(`counts.${column}`, { dtype: "U32", shape: [counts.length], data: counts });
  }
  const { name, sha256 } = await directory.commit(DICTIONARIES_FILE, writeSafetensors(tensors));
  return { name, sha256 };
}

/** Loads the dictionaries of a data set. Throws `E_CORRUPT` unless the bytes and the sizes are those of the manifest. */
export async function loadDictionaries(directory: Directory, manifest: Manifest): Promise<SavedDictionary[]> {
  const { name } = manifest.dictionaries;
  const file = await directory.read(name);
  const bytes = await file.slice(0, file.byteLength);
  if ((await sha256(bytes)) !== manifest.dictionaries.sha256) {
    throw new TtError("E_CORRUPT", `${name} does not match its checksum in the manifest`, { file: name });
  }
  const { tensors } = await readSafetensors(readBytes(bytes));
  return manifest.schema.ids.map((column, index) => {
    const cardinality = manifest.cardinalities[index];
    return {
      values: unsigned(tensors.get(`values.${column}`), cardinality - 1, name, column),
      counts: unsigned(tensors.get(`counts.${column}`), cardinality, name, column),
    };
  });
}

function unsigned(tensor: HostTensor | undefined, length: number, file: string, column: string): Uint32Array {
  if (tensor?.dtype !== "U32" || tensor.data.length !== length) {
    throw new TtError("E_CORRUPT", `${file} has no ${length} unsigned numbers for column ${column}`, { file, column });
  }
  return tensor.data as Uint32Array;
}
