import type { Heap } from "./heap.ts";

const BLOCK_BYTES = 1 << 20;

interface Block {
  readonly offset: number;
  readonly byteLength: number;
}

/** A place in an arena. */
export interface ArenaMark {
  /** Number of the block. */
  readonly block: number;
  /** Bytes of it that are taken. */
  readonly used: number;
}

const START: ArenaMark = { block: 0, used: 0 };

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

  /** The place that the next bytes are taken from. */
  mark(): ArenaMark {
    return { block: this.#block, used: this.#used };
  }

  /** Takes all bytes back that were reserved since a mark; `poison` overwrites them with NaN so that a view that was kept shows. */
  reset(poison: boolean, { block, used }: ArenaMark = START): void {
    this.#block = block;
    this.#used = used;
    if (!poison) return;
    for (const [i, { offset, byteLength }] of this.#blocks.entries()) {
      if (i < block) continue;
      const start = offset + (i === block ? used : 0);
      this.#heap.floats.fill(Number.NaN, start / 4, Math.floor((offset + byteLength) / 4));
    }
  }

  /** Bytes held. */
  get bytes(): number {
    return this.#blocks.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }
}
