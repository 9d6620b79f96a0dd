import { TtError } from "./errors.ts";

/** Bytes that tensors live in. `buffer` may change when the memory grows, so it is read at each use. */
export interface Memory {
  /** The present buffer. */
  readonly buffer: ArrayBufferLike;
}

/** Shared by all tensors that die together. */
export interface Lifetime {
  /** False once the tensors may no longer be read. */
  alive: boolean;
  /** Gives the bytes back; called once, at the end of life. */
  readonly release?: () => void;
}

/** Number of elements of a tensor of this shape; an empty shape is a scalar. Throws `E_SHAPE` on a bad extent. */
export function sizeOfShape(shape: readonly number[]): number {
  let size = 1;
  // Counted by hand, since every scratch tensor comes this way.
  for (let axis = 0; axis < shape.length; axis++) {
    const extent = shape[axis];
    if (!Number.isSafeInteger(extent) || extent < 0) {
      throw new TtError("E_SHAPE", `shape[${axis}] = ${extent} is not a whole number of at least 0`);
    }
    size *= extent;
  }
  if (!Number.isSafeInteger(size)) throw new TtError("E_SHAPE", `shape [${shape}] has more than 2^53 elements`);
  return size;
}

/** A row-major, contiguous float32 array on a runtime's heap. Made by `Runtime`, never by hand. */
export class Tensor {
  /** Extent of each axis. */
  readonly shape: readonly number[];
  /** Number of elements. */
  readonly size: number;
  /** Byte offset of the first element in the memory. */
  readonly byteOffset: number;
  /** The memory that the elements live in: the runtime's heap, or a large table's own. */
  readonly memory: Memory;
  readonly #lifetime: Lifetime;

  /** @internal */
  constructor(shape: readonly number[], memory: Memory, byteOffset: number, lifetime: Lifetime) {
    this.shape = [...shape];
    this.size = sizeOfShape(shape);
    this.byteOffset = byteOffset;
    this.memory = memory;
    this.#lifetime = lifetime;
  }

  /**
   * The elements, as a view. Read it afresh after every `await`: a memory that grows detaches older views.
   * Throws `E_DISPOSED` after `dispose()` or after the end of the step that the tensor belonged to.
   */
  get data(): Float32Array {
    if (!this.#lifetime.alive) {
      throw new TtError("E_DISPOSED", `the tensor of shape [${this.shape}] was used after its end of life`);
    }
    return new Float32Array(this.memory.buffer, this.byteOffset, this.size);
  }

  /** True after the end of its life, when `data` throws. */
  get disposed(): boolean {
    return !this.#lifetime.alive;
  }

  /** The same elements under another shape of the same size. Throws `E_SHAPE` if the sizes differ. */
  reshape(shape: readonly number[]): Tensor {
    const size = sizeOfShape(shape);
    if (size !== this.size) {
      throw new TtError("E_SHAPE", `shape [${shape}] has ${size} elements, the tensor [${this.shape}] has ${this.size}`);
    }
    return new Tensor(shape, this.memory, this.byteOffset, this.#lifetime);
  }

  /** Rows [start, start + count) of the first axis, as a view. Throws `E_SHAPE` if there are not as many. */
  rows(start: number, count: number): Tensor {
    const [extent, ...rest] = this.shape;
    if (!(start >= 0 && count >= 0 && start + count <= extent)) {
      throw new TtError("E_SHAPE", `the tensor of shape [${this.shape}] has no rows ${start} to ${start + count}`);
    }
    const offset = start * sizeOfShape(rest) * Float32Array.BYTES_PER_ELEMENT;
    return new Tensor([count, ...rest], this.memory, this.byteOffset + offset, this.#lifetime);
  }

  /** Frees a parameter; views and reshapes of it die too. Calling it twice is harmless. */
  dispose(): void {
    if (!this.#lifetime.alive) return;
    this.#lifetime.alive = false;
    this.#lifetime.release?.();
  }
}
