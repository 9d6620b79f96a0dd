import { allocate } from "./allocate.ts";
import { type Lifetime, type Memory, sizeOfShape, Tensor } from "./tensor.ts";

const BLOCK_BYTES = 1 << 20;

/** A bump allocator for the tensors of one step; its blocks are kept from step to step, so a steady state allocates nothing. */
export class ScratchArena {
  readonly #blocks: ArrayBuffer[] = [];
  #block = 0;
  #offset = 0;
  #lifetime: Lifetime = { alive: true };

  /** Hands out a zeroed tensor that lives until `reset`. */
  allocate(shape: readonly number[]): Tensor {
    const byteLength = sizeOfShape(shape) * Float32Array.BYTES_PER_ELEMENT;
    while (this.#block < this.#blocks.length && this.#offset + byteLength > this.#blocks[this.#block].byteLength) {
      this.#block++;
      this.#offset = 0;
    }
    if (this.#block === this.#blocks.length) this.#blocks.push(allocate(Math.max(BLOCK_BYTES, byteLength)));
    const memory: Memory = { buffer: this.#blocks[this.#block] };
    const tensor = new Tensor(shape, memory, this.#offset, this.#lifetime);
    tensor.data.fill(0);
    // 16-byte steps, as SIMD loads like them.
    this.#offset += Math.ceil(byteLength / 16) * 16;
    return tensor;
  }

  /** Ends the life of all tensors handed out; `poison` overwrites them with NaN so that a kept view shows. */
  reset(poison: boolean): void {
    this.#lifetime.alive = false;
    this.#lifetime = { alive: true };
    this.#block = 0;
    this.#offset = 0;
    if (poison) for (const block of this.#blocks) new Float32Array(block).fill(Number.NaN);
  }

  /** Bytes held. */
  get bytes(): number {
    return this.#blocks.reduce((sum, block) => sum + block.byteLength, 0);
  }
}
