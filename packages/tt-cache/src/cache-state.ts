import { type HostTensor, type NamedTensors, TtError } from "@tt-rec/tensor";
import { NO_ROW } from "@tt-rec/tt-kernels";
import { AccessCounter } from "./access-counter.ts";
import type { Entering } from "./row-cache.ts";

const OWN_NAMES = ["cache.ids", "counter.slots", "cache.entering", "cache.step", "counter.ids", "counter.counts"] as const;

/** What a cache remembers besides its rows. */
export interface CacheState {
  /** Row ids by slot, `NO_ROW` for a free one. */
  readonly ids: Uint32Array;
  /** Accesses of each slot that are not yet in the counter. */
  readonly accesses: Uint32Array;
  /** Rows that are still to enter. */
  readonly entering: Entering;
  /** Accesses so far. */
  readonly counter: AccessCounter;
  /** Training steps applied. */
  readonly step: number;
}

/** Joins the state of cores and cached rows with that of the cache. */
export function writeCacheState(parameters: NamedTensors, state: CacheState): NamedTensors {
  const { ids, accesses, entering, counter, step } = state;
  const vector = (data: Uint32Array): HostTensor => ({ dtype: "U32", shape: [data.length], data: data.slice() });
  const pairs = Uint32Array.from([...entering.ids, ...entering.slots]);
  return new Map([
    ...parameters,
    ["cache.ids", vector(ids)],
    ["counter.slots", vector(accesses)],
    ...(pairs.length > 0 ? ([["cache.entering", vector(pairs)]] as const) : []),
    ["cache.step", vector(Uint32Array.of(step))],
    ["counter.ids", vector(counter.ids)],
    ["counter.counts", vector(counter.counts)],
  ]);
}

/** Takes a joined state apart by name: what belongs to parameters, and what is the cache's own. */
export function splitState(state: NamedTensors): { parameters: NamedTensors; own: NamedTensors } {
  const parameters = new Map<string, HostTensor>();
  const own = new Map<string, HostTensor>();
  for (const [name, tensor] of state) (OWN_NAMES.some((known) => known === name) ? own : parameters).set(name, tensor);
  return { parameters, own };
}

/** Checks what the cache remembers besides its rows, and reads it. Throws `E_MISMATCH`. */
export function readCacheState(own: NamedTensors, capacity: number, numEmbeddings: number): CacheState {
  const ids = readVector(own, "cache.ids");
  const step = readVector(own, "cache.step");
  const counterIds = readVector(own, "counter.ids");
  const counts = readVector(own, "counter.counts");
  const pairs = own.has("cache.entering") ? readVector(own, "cache.entering") : new Uint32Array(0);
  // States of earlier versions have none.
  const accesses = own.has("counter.slots") ? readVector(own, "counter.slots") : new Uint32Array(ids.length);
  if (ids.length > capacity) throw new TtError("E_MISMATCH", `the state holds ${ids.length} cached rows, the cache ${capacity}`);
  if (step.length !== 1) throw new TtError("E_MISMATCH", `cache.step has ${step.length} elements, 1 was expected`);
  if (counterIds.length !== counts.length) {
    throw new TtError("E_MISMATCH", `the state has ${counterIds.length} counted ids and ${counts.length} counts`);
  }
  checkIds(
    "cache.ids",
    ids.filter((id) => id !== NO_ROW),
    numEmbeddings,
  );
  checkIds("counter.ids", counterIds, numEmbeddings);
  if (accesses.length !== ids.length) {
    throw new TtError("E_MISMATCH", `the state has ${ids.length} slots and the accesses of ${accesses.length}`);
  }
  const entering = readEntering(pairs, capacity, numEmbeddings);
  const counter = new AccessCounter();
  for (const [i, id] of counterIds.entries()) counter.add(id, counts[i]);
  return { ids, accesses, entering, counter, step: step[0] };
}

function readEntering(pairs: Uint32Array, capacity: number, numEmbeddings: number): Entering {
  const count = pairs.length / 2;
  if (!Number.isInteger(count)) throw new TtError("E_MISMATCH", `cache.entering has ${pairs.length} elements, not pairs`);
  const [ids, slots] = [pairs.slice(0, count), pairs.slice(count)];
  checkIds("cache.entering", ids, numEmbeddings);
  const bad = slots.findIndex((slot) => slot >= capacity);
  if (bad >= 0) {
    throw new TtError("E_MISMATCH", `cache.entering[${count + bad}] = ${slots[bad]} is not below the cache's rows, ${capacity}`);
  }
  if (new Set(slots).size !== count) throw new TtError("E_MISMATCH", "cache.entering holds a slot twice");
  return { ids, slots };
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
