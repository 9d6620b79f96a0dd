import { TtError } from "../errors.ts";
import { canShare, MAX_PAGES, PAGE_BYTES, type WasmMemory, webAssembly } from "./web-assembly.ts";

/** Blocks start at cache lines, so that no two threads write to one. */
const ALIGNMENT = 64;

/** The first bytes belong to nobody: offset 0 stays free to mean "none". */
const BASE = 1024;

/** A memory that grows in steps of at least this much grows seldom. */
const GROWTH_BYTES = 4 << 20;

interface FreeBlock {
  readonly offset: number;
  readonly byteLength: number;
}

/** An allocator over one WebAssembly memory: best fit over a list of free blocks, which are joined when they touch. */
export class Heap {
  /** The memory that kernels import. */
  readonly memory: WasmMemory;
  #free: FreeBlock[] = [];
  /** Everything from here on was never handed out. */
  #top = BASE;
  /** Everything from here on was never written, and is zero. */
  #untouched = BASE;
  /** The present buffer. Asking the memory for it takes longer than most of what is done with it. */
  #buffer: ArrayBufferLike;
  #bytes: Uint8Array;
  #floats: Float32Array;
  #words: Uint32Array;

  constructor() {
    this.memory = new webAssembly.Memory({ initial: 16, maximum: MAX_PAGES, shared: canShare });
    const { buffer } = this.memory;
    this.#buffer = buffer;
    [this.#bytes, this.#floats, this.#words] = [new Uint8Array(buffer), new Float32Array(buffer), new Uint32Array(buffer)];
  }

  /** The present buffer. */
  get buffer(): ArrayBufferLike {
    return this.#buffer;
  }

  /** All bytes. Read it afresh after every allocation: growth replaces the view. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** All bytes as floats. */
  get floats(): Float32Array {
    return this.#floats;
  }

  /** All bytes as unsigned integers. */
  get words(): Uint32Array {
    return this.#words;
  }

  /** Reserves uninitialised bytes and returns their offset. Throws `E_MEMORY` if they are not to be had. */
  allocate(byteLength: number): number {
    const size = aligned(byteLength);
    const best = this.#bestFit(size);
    if (best < 0) return this.#extend(size, byteLength);
    const { offset, byteLength: room } = this.#free[best];
    if (room === size) this.#free.splice(best, 1);
    else this.#free[best] = { offset: offset + size, byteLength: room - size };
    return offset;
  }

  /** As `allocate`, but the bytes are zero; those that nobody wrote yet are not touched. */
  allocateZeroed(byteLength: number): number {
    const untouched = this.#untouched;
    const offset = this.allocate(byteLength);
    if (offset < untouched) this.bytes.fill(0, offset, Math.min(offset + byteLength, untouched));
    return offset;
  }

  /** Gives back what `allocate(byteLength)` returned as `offset`. */
  free(offset: number, byteLength: number): void {
    const size = aligned(byteLength);
    let at = this.#free.findIndex((block) => block.offset > offset);
    if (at < 0) at = this.#free.length;
    let block = { offset, byteLength: size };
    const [before, after] = [this.#free[at - 1], this.#free[at]];
    const joinsAfter = after !== undefined && block.offset + block.byteLength === after.offset;
    const joinsBefore = before !== undefined && before.offset + before.byteLength === block.offset;
    if (joinsAfter) block = { offset: block.offset, byteLength: block.byteLength + after.byteLength };
    if (joinsBefore) block = { offset: before.offset, byteLength: before.byteLength + block.byteLength };
    this.#free.splice(joinsBefore ? at - 1 : at, (joinsBefore ? 1 : 0) + (joinsAfter ? 1 : 0), block);
    const last = this.#free.at(-1);
    if (last !== undefined && last.offset + last.byteLength === this.#top) {
      this.#free.pop();
      this.#top = last.offset;
    }
  }

  #bestFit(size: number): number {
    let best = -1;
    for (const [i, { byteLength }] of this.#free.entries()) {
      if (byteLength >= size && (best < 0 || byteLength < this.#free[best].byteLength)) best = i;
    }
    return best;
  }

  #extend(size: number, asked: number): number {
    const offset = this.#top;
    const missing = offset + size - this.memory.buffer.byteLength;
    if (missing > 0) this.#grow(missing, asked);
    this.#top = offset + size;
    this.#untouched = Math.max(this.#untouched, this.#top);
    return offset;
  }

  #grow(missing: number, asked: number): void {
    const present = this.memory.buffer.byteLength / PAGE_BYTES;
    const needed = Math.ceil(missing / PAGE_BYTES);
    const wanted = Math.min(Math.max(needed, GROWTH_BYTES / PAGE_BYTES), MAX_PAGES - present);
    try {
      this.memory.grow(Math.max(needed, wanted));
      this.#refresh();
    } catch (cause) {
      throw new TtError("E_MEMORY", `${asked} bytes for a tensor are not to be had`, {}, { cause });
    }
  }

  #refresh(): void {
    const { buffer } = this.memory;
    this.#buffer = buffer;
    [this.#bytes, this.#floats, this.#words] = [new Uint8Array(buffer), new Float32Array(buffer), new Uint32Array(buffer)];
  }
}

function aligned(byteLength: number): number {
  return Math.max(1, Math.ceil(byteLength / ALIGNMENT)) * ALIGNMENT;
}
