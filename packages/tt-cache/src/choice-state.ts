import { type HostTensor, type NamedTensors, TtError } from "@tt-rec/tensor";
import type { ChoiceProgress } from "./row-choice.ts";
import { checkIds, readVector, readWords, vectorOf } from "./state-vectors.ts";

/** A choice under way, by name. */
export function writeProgress({ hasMoved, accesses, counted, pieces, rows }: ChoiceProgress): [string, HostTensor][] {
  return [
    ["cache.choice", vectorOf(Uint32Array.of(counted, pieces, Number(hasMoved)))],
    ...(accesses.length > 0 ? ([["counter.taken", vectorOf(accesses)]] satisfies [string, HostTensor][]) : []),
    ...(rows === undefined ? [] : ([["cache.chosen", vectorOf(rows)]] satisfies [string, HostTensor][])),
  ];
}

/** Reads a choice, if one was under way. Throws `E_MISMATCH`. */
export function readProgress(state: NamedTensors, capacity: number, numEmbeddings: number): ChoiceProgress | undefined {
  if (!state.has("cache.choice")) return undefined;
  const [counted, pieces, moved] = readWords(state, "cache.choice", 3);
  const hasMoved = moved > 0;
  const accesses = state.has("counter.taken") ? readVector(state, "counter.taken").slice() : new Uint32Array(0);
  if (counted > accesses.length || accesses.length > capacity) {
    throw new TtError(
      "E_MISMATCH",
      `the state has counted ${counted} of ${accesses.length} slots, the cache has ${capacity} rows`,
    );
  }
  if (!state.has("cache.chosen")) return { hasMoved, accesses, counted, pieces };
  const rows = readVector(state, "cache.chosen").slice();
  if (rows.length > capacity) throw new TtError("E_MISMATCH", `the state chose ${rows.length} rows, the cache holds ${capacity}`);
  checkIds("cache.chosen", rows, numEmbeddings);
  return { hasMoved, accesses, counted, pieces, rows };
}
