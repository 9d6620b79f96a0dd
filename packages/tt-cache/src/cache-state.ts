import { type HostTensor, type NamedTensors, TtError } from "@tt-rec/tensor";
import { NO_ROW } from "@tt-rec/tt-kernels";
import type { RowStorage } from "@tt-rec/tt-math";
import type { Entering } from "./entering.ts";
import { CACHED_ROWS } from "./row-cache.ts";
import type { RowChooser } from "./row-chooser.ts";
import { checkIds, readVector, readWords, vectorOf } from "./state-vectors.ts";

/** What a cache remembers besides its rows and what chooses them. */
export interface SlotState {
  /** Row ids by slot, `NO_ROW` for a free one. */
  readonly ids: Uint32Array;
  /** Accesses of each slot that are not yet in the counter. */
  readonly accesses: Uint32Array;
  /** Rows that were chosen and are still to enter. */
  readonly entering: Entering;
  /** Seed of the roundings, if rows are rounded. */
  readonly roundingSeed?: number;
}

const ROUNDING_SEED = "cache.roundingSeed";

/** Joins the state of cores and cached rows with that of the slots and of what chooses the rows. */
export function writeCacheState(
  parameters: NamedTensors,
  { ids, accesses, entering, roundingSeed }: SlotState,
  chooser: RowChooser,
): NamedTensors {
  const pairs = Uint32Array.from([...entering.ids, ...entering.slots]);
  return new Map([
    ...parameters,
    ["cache.ids", vectorOf(ids)],
    ["counter.slots", vectorOf(accesses)],
    ...(pairs.length > 0 ? ([["cache.entering", vectorOf(pairs)]] as const) : []),
    ...(roundingSeed === undefined ? [] : ([[ROUNDING_SEED, vectorOf(Uint32Array.of(roundingSeed))]] as const)),
    ...chooser.state(),
  ]);
}

/** Takes a joined state apart by name: what belongs to parameters, and what is the cache's own. */
export function splitState(
  state: NamedTensors,
  parameterNames: readonly string[],
): { parameters: NamedTensors; own: NamedTensors } {
  const parameters = new Map<string, HostTensor>();
  const own = new Map<string, HostTensor>();
  for (const [name, tensor] of state) {
    const isOwn = /^(cache|counter)\./.test(name) && !parameterNames.includes(name);
    (isOwn ? own : parameters).set(name, tensor);
  }
  return { parameters, own };
}

/** Reads the slots, and has a fresh chooser go on from the state. Throws `E_MISMATCH`. */
export function readCacheState(own: NamedTensors, chooser: RowChooser, capacity: number, numEmbeddings: number): SlotState {
  const ids = readVector(own, "cache.ids");
  if (ids.length > capacity) throw new TtError("E_MISMATCH", `the state holds ${ids.length} cached rows, the cache ${capacity}`);
  checkIds(
    "cache.ids",
    ids.filter((id) => id !== NO_ROW),
    numEmbeddings,
  );
  // An exported model has rows without accesses.
  const saved = own.has("counter.slots") ? readVector(own, "counter.slots") : new Uint32Array(0);
  const accesses = saved.length === 0 ? new Uint32Array(ids.length) : saved;
  if (accesses.length !== ids.length) {
    throw new TtError("E_MISMATCH", `the state has ${ids.length} slots and the accesses of ${accesses.length}`);
  }
  const entering = readEntering(own, capacity, numEmbeddings);
  chooser.load(own, numEmbeddings);
  const known = new Set(["cache.ids", "counter.slots", "cache.entering", ROUNDING_SEED, ...chooser.state().keys()]);
  const unknown = [...own.keys()].find((name) => !known.has(name));
  if (unknown !== undefined)
    throw new TtError("E_MISMATCH", `the state has the unknown tensor "${unknown}"`, { tensor: unknown });
  const seed = own.has(ROUNDING_SEED) && { roundingSeed: readWords(own, ROUNDING_SEED, 1)[0] };
  return { ids, accesses, entering, ...seed };
}

/** Throws `E_MISMATCH` if the cached rows of a state are held in another way than those of a cache. */
export function checkStorage(state: NamedTensors, storage: RowStorage): void {
  const saved = state.get(CACHED_ROWS)?.dtype === "I8" ? "int8" : "float32";
  if (saved === storage) return;
  throw new TtError("E_MISMATCH", `the state's cached rows are ${saved}, those of the cache ${storage}`, { tensor: CACHED_ROWS });
}

function readEntering(own: NamedTensors, capacity: number, numEmbeddings: number): Entering {
  const pairs = own.has("cache.entering") ? readVector(own, "cache.entering") : new Uint32Array(0);
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
