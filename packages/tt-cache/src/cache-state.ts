import { type HostTensor, type NamedTensors, TtError } from "@tt-rec/tensor";
import { AccessCounter } from "./access-counter.ts";
import { CACHED_ROWS } from "./row-cache.ts";

const OWN_NAMES = ["cache.ids", "cache.step", "counter.ids", "counter.counts"] as const;

/** What a cache remembers besides its rows. */
export interface CacheState {
  /** Row ids by slot. */
  readonly ids: Uint32Array;
  /** Accesses so far. */
  readonly counter: AccessCounter;
  /** Training steps applied. */
  readonly step: number;
}

/** Joins the states of the cores, the cached rows and the cache. */
export function writeCacheState(tt: NamedTensors, rows: NamedTensors, { ids, counter, step }: CacheState): NamedTensors {
  const vector = (data: Uint32Array): HostTensor => ({ dtype: "U32", shape: [data.length], data: data.slice() });
  return new Map([
    ...tt,
    ...rows,
    ["cache.ids", vector(ids)],
    ["cache.step", vector(Uint32Array.of(step))],
    ["counter.ids", vector(counter.ids)],
    ["counter.counts", vector(counter.counts)],
  ]);
}

/** Takes a joined state apart by name. */
export function splitState(state: NamedTensors): { tt: NamedTensors; rows: NamedTensors; own: NamedTensors } {
  const tt = new Map<string, HostTensor>();
  const rows = new Map<string, HostTensor>();
  const own = new Map<string, HostTensor>();
  for (const [name, tensor] of state) {
    // The rows themselves, or their optimizer state.
    if (name.endsWith(CACHED_ROWS)) rows.set(name, tensor);
    else if (OWN_NAMES.some((known) => known === name)) own.set(name, tensor);
    else tt.set(name, tensor);
  }
  return { tt, rows, own };
}

/** Checks what the cache remembers besides its rows, and reads it. Throws `E_MISMATCH`. */
export function readCacheState(own: NamedTensors, capacity: number, numEmbeddings: number): CacheState {
  const ids = readVector(own, "cache.ids");
  const step = readVector(own, "cache.step");
  const counterIds = readVector(own, "counter.ids");
  const counts = readVector(own, "counter.counts");
  if (ids.length > capacity) throw new TtError("E_MISMATCH", `the state holds ${ids.length} cached rows, the cache ${capacity}`);
  if (step.length !== 1) throw new TtError("E_MISMATCH", `cache.step has ${step.length} elements, 1 was expected`);
  if (counterIds.length !== counts.length) {
    throw new TtError("E_MISMATCH", `the state has ${counterIds.length} counted ids and ${counts.length} counts`);
  }
  checkIds("cache.ids", ids, numEmbeddings);
  checkIds("counter.ids", counterIds, numEmbeddings);
  const counter = new AccessCounter();
  for (const [i, id] of counterIds.entries()) counter.add(id, counts[i]);
  return { ids, counter, step: step[0] };
}

function readVector(state: NamedTensors, name: (typeof OWN_NAMES)[number]): Uint32Array {
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

function checkIds(name: string, ids: Uint32Array, numEmbeddings: number): void {
  const bad = ids.findIndex((id) => id >= numEmbeddings);
  if (bad >= 0)
    throw new TtError("E_MISMATCH", `${name}[${bad}] = ${ids[bad]} is not below the number of embeddings, ${numEmbeddings}`);
  if (new Set(ids).size !== ids.length) throw new TtError("E_MISMATCH", `${name} holds an id twice`);
}
