import type { Heap } from "./heap.ts";

const BLOCK_BYTES = 1 << 20;

interface Block {
  readonly offset: number;
  readonly byteLength: number;
}

/** A bump allocator on a heap; its blocks are kept from use to use, so a steady state allocates nothing. */
export class Arena {
  readonly #heap: Heap;
  readonly #blocks: Block[] = [];
  #block = 0;
  #used = 0;

  constructor(heap: Heap) {
    this.#heap = heap;
  }

  /** Reserves uninitialised bytes until the next `reset`, 64-byte aligned; returns their offset. Throws `E_MEMORY`. */
  reserve(byteLength: number): number {
    while (this.#block < this.#blocks.length && this.#used + byteLength > this.#blocks[this.#block].byteLength) {
      this.#block++;
      this.#used = 0;
    }
    if (this.#block === this.#blocks.length) {
      const size = Math.max(BLOCK_BYTES, byteLength);
      this.#blocks.push({ offset: this.#heap.allocate(size), byteLength: size });
    }
    const offset = this.#blocks[this.#block].offset + this.#used;
    // A cache line more, lest arrays of a power of two lie so that all their rows compete for the same lines of the cache.
    this.#used += Math.ceil(byteLength / 64) * 64 + 64;
    return offset;
  }

  /** Takes all bytes back; `poison` overwrites them with NaN so that a view that was kept shows. */
  reset(poison: boolean): void {
    this.#block = 0;
    this.#used = 0;
    if (!poison) return;
    for (const { offset, byteLength } of this.#blocks) {
      this.#heap.floats.fill(Number.NaN, offset / 4, Math.floor((offset + byteLength) / 4));
    }
  }

  /** Bytes held. */
  get bytes(): number {
    return this.#blocks.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }
}
