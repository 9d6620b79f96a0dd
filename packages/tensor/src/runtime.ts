import { allocate } from "./allocate.ts";
import type { DenseKernels } from "./dense/kernels.ts";
import { referenceKernels } from "./dense/reference.ts";
import { TtError } from "./errors.ts";
import { ScratchArena } from "./scratch.ts";
import { sizeOfShape, Tensor } from "./tensor.ts";

/** Options of `Runtime.create`. */
export interface RuntimeOptions {
  /** Overwrite scratch tensors with NaN when their step ends, so that tests see a view that was kept too long. Default false. */
  readonly poison?: boolean;
}

/** Owns the memory that tensors live in and the kernels that work on them. */
export class Runtime {
  /** The dense kernels of this runtime's engine. */
  readonly kernels: DenseKernels = referenceKernels;
  readonly #poison: boolean;
  readonly #scratch = new ScratchArena();
  #stepOpen = false;
  #closed = false;

  private constructor(options: RuntimeOptions) {
    this.#poison = options.poison ?? false;
  }

  /** Makes a runtime. Asynchronous because engines may load modules and start threads. */
  static async create(options: RuntimeOptions = {}): Promise<Runtime> {
    return new Runtime(options);
  }

  /**
   * Allocates a parameter: a zeroed tensor that lives until its owner calls `dispose()`.
   * Throws `E_MEMORY` if the bytes are not to be had, `E_DISPOSED` after `close()`.
   */
  tensor(shape: readonly number[]): Tensor {
    this.#assertOpen();
    const byteLength = sizeOfShape(shape) * Float32Array.BYTES_PER_ELEMENT;
    return new Tensor(shape, { buffer: allocate(byteLength) }, 0, { alive: true });
  }

  /** Allocates a zeroed tensor that dies with the open step. Throws `E_STEP` when none is open, otherwise as `tensor`. */
  scratch(shape: readonly number[]): Tensor {
    this.#assertOpen();
    if (!this.#stepOpen) {
      throw new TtError("E_STEP", "scratch tensors live in a step: call this inside runtime.step(async () => …)");
    }
    return this.#scratch.allocate(shape);
  }

  /**
   * Opens the scratch arena, runs `body`, and ends the life of every scratch tensor made in it.
   * Throws `E_STEP` if a step is open already: two could not tell their tensors apart.
   */
  async step<T>(body: () => Promise<T>): Promise<T> {
    this.#assertOpen();
    if (this.#stepOpen) throw new TtError("E_STEP", "a step is open on this runtime already; await it first");
    this.#stepOpen = true;
    try {
      return await body();
    } finally {
      this.#stepOpen = false;
      this.#scratch.reset(this.#poison);
    }
  }

  /** Bytes of scratch memory held for steps. */
  get scratchBytes(): number {
    return this.#scratch.bytes;
  }

  /** Ends the runtime; allocating from it throws afterwards. Calling it twice is harmless. */
  async close(): Promise<void> {
    this.#closed = true;
  }

  #assertOpen(): void {
    if (this.#closed) throw new TtError("E_DISPOSED", "the runtime was used after close()");
  }
}
