import { type HostTensor, type NamedTensors, TtError } from "@tt-rec/tensor";

/** A vector of a state. */
export function vectorOf(data: Uint32Array): HostTensor {
  return { dtype: "U32", shape: [data.length], data: data.slice() };
}

/** A vector of a state, checked. Throws `E_MISMATCH`. */
export function readVector(state: NamedTensors, name: string): Uint32Array {
  const tensor = state.get(name);
  if (tensor === undefined) throw new TtError("E_MISMATCH", `the state has no tensor "${name}"`, { tensor: name });
  if (!(tensor.data instanceof Uint32Array)) {
    throw new TtError("E_MISMATCH", `tensor "${name}" is ${tensor.dtype}, U32 was expected`, { tensor: name });
  }
  if (tensor.shape.length !== 1 || tensor.shape[0] !== tensor.data.length) {
    throw new TtError("E_MISMATCH", `tensor "${name}" is [${tensor.shape}] with ${tensor.data.length} elements`, {
      tensor: name,
    });
  }
  return tensor.data;
}

/** A vector of a state of so many elements. Throws `E_MISMATCH`. */
export function readWords(state: NamedTensors, name: string, count: number): Uint32Array {
  const words = readVector(state, name);
  if (words.length !== count) throw new TtError("E_MISMATCH", `${name} has ${words.length} elements, ${count} were expected`);
  return words;
}

/** Checks that ids are those of rows. Throws `E_MISMATCH`. */
export function checkBelow(name: string, ids: Uint32Array, numEmbeddings: number): void {
  const bad = ids.findIndex((id) => id >= numEmbeddings);
  if (bad >= 0)
    throw new TtError("E_MISMATCH", `${name}[${bad}] = ${ids[bad]} is not below the number of embeddings, ${numEmbeddings}`);
}

/** Checks that ids are distinct and those of rows. Throws `E_MISMATCH`. */
export function checkIds(name: string, ids: Uint32Array, numEmbeddings: number): void {
  checkBelow(name, ids, numEmbeddings);
  if (new Set(ids).size !== ids.length) throw new TtError("E_MISMATCH", `${name} holds an id twice`);
}
