import type { KernelHost, Runtime, Tensor } from "@tt-rec/tensor";
import { ttCacheModule } from "./generated/tt-cache-module.ts";
import type { RankedRows } from "./rank-rows.ts";

const MAX_COUNT = 0xffffffff;

const canShare = typeof SharedArrayBuffer !== "undefined";

/** The ids and counts of a counter by place. They lie on the heap, if there is one that stays where it is, so that a kernel can count. */
export class CounterPlaces {
  readonly ids: Uint32Array;
  readonly counts: Uint32Array;
  readonly #tensors: readonly Tensor[];

  constructor(places: number, host: Runtime | undefined) {
    this.#tensors = host === undefined ? [] : [host.tensor([places]), host.tensor([places])];
    [this.ids, this.counts] =
      host === undefined ? [new Uint32Array(places), new Uint32Array(places)] : this.#tensors.map(wordsOf);
  }

  /** Frees the heap. */
  dispose(): void {
    for (const tensor of this.#tensors) tensor.dispose();
  }
}

/** The runtime if its kernels can count: its heap must not move, since places are read and written through views. */
export function countingRuntime(runtime: Runtime | undefined): Runtime | undefined {
  const isStable = runtime?.backend === "wasm" && canShare && runtime.host.memory.buffer instanceof SharedArrayBuffer;
  return isStable ? runtime : undefined;
}

/** Counts ids on the kernel, which has the same effect as one `observe` after another: a third of the time, and less for cold places. */
export function countOnKernel(host: KernelHost, ids: Uint32Array, places: CounterPlaces, sets: number): void {
  const workspace = host.enter();
  try {
    let at = ids.byteOffset;
    if (ids.buffer !== host.memory.buffer) {
      at = workspace.reserve(4 * ids.length);
      host.words.set(ids, at / 4);
    }
    const args = workspace.record([at, ids.length, places.ids.byteOffset, places.counts.byteOffset, sets]);
    runOnce(host, "countIds", args);
  } finally {
    host.leave();
  }
}

/** Finds the place of each id on the kernel; an id that has none gets 2^32 − 1. */
export function findOnKernel(host: KernelHost, ids: Uint32Array, places: CounterPlaces, sets: number): Uint32Array {
  const workspace = host.enter();
  try {
    const [at, out] = [workspace.reserve(4 * ids.length), workspace.reserve(4 * ids.length)];
    host.words.set(ids, at / 4);
    const args = workspace.record([at, ids.length, places.ids.byteOffset, sets, out]);
    runOnce(host, "findPlaces", args);
    return host.words.slice(out / 4, out / 4 + ids.length);
  } finally {
    host.leave();
  }
}

/** Takes the ids at the places from `begin` on, as many as there are marks, that have none and are counted more than `above` times. */
export function takeOnKernel(
  host: KernelHost,
  places: CounterPlaces,
  begin: number,
  marks: Uint8Array,
  above: number,
): RankedRows {
  const workspace = host.enter();
  try {
    const { length } = marks;
    const [known, counts] = [places.ids, places.counts].map(({ byteOffset }) => byteOffset + 4 * begin);
    const at = workspace.reserve(length);
    const [ids, idCounts] = [workspace.reserve(4 * length), workspace.reserve(4 * length)];
    new Uint8Array(host.memory.buffer, at, length).set(marks);
    // A bound that no count exceeds may be more than a word holds.
    const args = workspace.record([known, counts, at, length, Math.min(above, MAX_COUNT), ids, idCounts, 0]);
    runOnce(host, "takeMoreCounted", args);
    const taken = host.words[args / 4 + 7];
    const listAt = (offset: number): Uint32Array => host.words.slice(offset / 4, offset / 4 + taken);
    return { ids: listAt(ids), counts: listAt(idCounts) };
  } finally {
    host.leave();
  }
}

/** Halves the counts of the places from `begin` to `end` into others; ids that are left with none lose their places. */
export function halveOnKernel(host: KernelHost, from: CounterPlaces, to: CounterPlaces, begin: number, end: number): void {
  const workspace = host.enter();
  try {
    const [known, counts, halvedKnown, halvedCounts] = [from.ids, from.counts, to.ids, to.counts].map(
      ({ byteOffset }) => byteOffset + 4 * begin,
    );
    const args = workspace.record([known, counts, end - begin, halvedKnown, halvedCounts]);
    runOnce(host, "halveCounts", args);
  } finally {
    host.leave();
  }
}

function runOnce(host: KernelHost, name: string, args: number): void {
  const kernel = host.load(ttCacheModule).get(name) as number;
  host.runNow({ kernel, args, units: 1, grain: 1 });
}

function wordsOf({ memory, byteOffset, size }: Tensor): Uint32Array {
  return new Uint32Array(memory.buffer, byteOffset, size);
}
