import { type HostTensor, type NamedTensors, TtError } from "@tt-rec/tensor";
import { CACHED_ROWS } from "./row-cache.ts";
import type { RowChooser } from "./row-chooser.ts";
import { checkIds, readVector, vectorOf } from "./state-vectors.ts";

/** Joins the states of the cores, the cached rows, their ids by slot and what chooses them. */
export function writeCacheState(tt: NamedTensors, rows: NamedTensors, ids: Uint32Array, chooser: RowChooser): NamedTensors {
  return new Map([...tt, ...rows, ["cache.ids", vectorOf(ids)], ...chooser.state()]);
}

/** Takes a joined state apart by name. */
export function splitState(state: NamedTensors): { tt: NamedTensors; rows: NamedTensors; own: NamedTensors } {
  const tt = new Map<string, HostTensor>();
  const rows = new Map<string, HostTensor>();
  const own = new Map<string, HostTensor>();
  for (const [name, tensor] of state) {
    // The rows themselves, or their optimizer state.
    if (name.endsWith(CACHED_ROWS)) rows.set(name, tensor);
    else if (/^(cache|counter)\./.test(name)) own.set(name, tensor);
    else tt.set(name, tensor);
  }
  return { tt, rows, own };
}

/** Reads the ids by slot, and has a fresh chooser go on from the state. Throws `E_MISMATCH`. */
export function readCacheState(own: NamedTensors, chooser: RowChooser, capacity: number, numEmbeddings: number): Uint32Array {
  const ids = readVector(own, "cache.ids");
  if (ids.length > capacity) throw new TtError("E_MISMATCH", `the state holds ${ids.length} cached rows, the cache ${capacity}`);
  checkIds("cache.ids", ids, numEmbeddings);
  chooser.load(own, numEmbeddings);
  const known = new Set(["cache.ids", ...chooser.state().keys()]);
  const unknown = [...own.keys()].find((name) => !known.has(name));
  if (unknown !== undefined)
    throw new TtError("E_MISMATCH", `the state has the unknown tensor "${unknown}"`, { tensor: unknown });
  return ids;
}
