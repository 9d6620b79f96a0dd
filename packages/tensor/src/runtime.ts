import type { Blas } from "./blas/blas.ts";
import { withBlas } from "./blas/blas-kernels.ts";
import type { DenseKernels } from "./dense/kernels.ts";
import { referenceKernels } from "./dense/reference.ts";
import { createWasmKernels } from "./dense/wasm-kernels.ts";
import { Arena } from "./engine/arena.ts";
import { Crew } from "./engine/crew.ts";
import type { KernelHost } from "./engine/kernel-host.ts";
import { chooseBuild, type SimdBuild } from "./engine/kernel-module.ts";
import { MemoryHost } from "./engine/memory-host.ts";
import { canShare } from "./engine/web-assembly.ts";
import { TtError } from "./errors.ts";
import { tensorModule } from "./generated/tensor-module.ts";
import { type Lifetime, type Memory, sizeOfShape, Tensor } from "./tensor.ts";

/** Which kernels do the work: WebAssembly, or plain TypeScript, the oracle of the tests. */
export type Backend = "wasm" | "reference";

/** Options of `Runtime.create`. */
export interface RuntimeOptions {
  /**
   * Threads that work, the caller's included; results do not depend on it. Default 1. On the main thread of a page, and in
   * a page that is not cross-origin isolated, there is only one.
   */
  readonly threads?: number;
  /** Default `wasm`. */
  readonly backend?: Backend;
  /** The build of the WebAssembly kernels; default `relaxed` where the engine has it. `simd` gives the same bits everywhere. */
  readonly simd?: SimdBuild;
  /** A library for large products, from `systemBlas()` of `@tt-rec/tensor/node`. Default `off`. */
  readonly blas?: Blas | "off";
  /** Tables above this many bytes get a memory of their own; default 64 MiB. */
  readonly ownMemoryBytes?: number;
  /** Overwrite scratch tensors with NaN before and after their life, so that tests see what was not written, or kept too long. Default false. */
  readonly poison?: boolean;
}

/** No WebAssembly memory can be larger; a quarter GiB is left for what a batch needs beside the table. */
const MAX_OWN_MEMORY_BYTES = 2 ** 32 - 2 ** 28;

/** Owns the memory that tensors live in, the threads, and the kernels that work on them. */
export class Runtime {
  /** The dense kernels of this runtime's engine. */
  readonly kernels: DenseKernels;
  /** Which kernels do the work. */
  readonly backend: Backend;
  /** The build of the WebAssembly kernels. */
  readonly simd: SimdBuild;
  readonly #crew: Crew;
  readonly #host: MemoryHost;
  readonly #ownMemoryBytes: number;
  /** The large tables' own memories. */
  readonly #owners = new WeakMap<Memory, MemoryHost>();
  readonly #poison: boolean;
  readonly #scratch: Arena;
  #scratchLife: Lifetime = { alive: true };
  #stepOpen = false;
  #closed = false;

  private constructor(crew: Crew, options: RuntimeOptions, simd: SimdBuild) {
    const { backend = "wasm", blas = "off", ownMemoryBytes = 2 ** 26, poison = false } = options;
    this.backend = backend;
    this.simd = simd;
    this.#crew = crew;
    this.#host = new MemoryHost(crew, simd);
    this.#owners.set(this.#host.memory, this.#host);
    this.#scratch = new Arena(this.#host.memory);
    this.#ownMemoryBytes = Math.min(ownMemoryBytes, MAX_OWN_MEMORY_BYTES);
    this.#poison = poison;
    const kernels = backend === "wasm" ? createWasmKernels(this.#host, tensorModule, `wasm-${simd}`) : referenceKernels;
    this.kernels = blas === "off" ? kernels : withBlas(kernels, blas, this.#host);
  }

  /**
   * Makes a runtime: starts its threads and loads the kernels. Throws `E_OPTION` on a bad option, `E_WORKER` if a thread
   * does not start.
   */
  static async create(options: RuntimeOptions = {}): Promise<Runtime> {
    const { threads = 1, backend = "wasm" } = options;
    if (!(Number.isSafeInteger(threads) && threads >= 1 && threads <= 256)) {
      throw new TtError("E_OPTION", `threads = ${threads} is not a whole number from 1 to 256`);
    }
    const simd = chooseBuild(options.simd);
    return new Runtime(await Crew.start(backend === "wasm" ? threads : 1), options, simd);
  }

  /** Threads that work, the caller's included. */
  get threads(): number {
    return this.#crew.threads;
  }

  /** The heap and its kernels, for packages that bring kernels of their own. Throws `E_DISPOSED` after `close()`. */
  get host(): KernelHost {
    this.#assertOpen();
    return this.#host;
  }

  /** The memory and kernels of a tensor's own memory; undefined if it is too large for any, or another runtime's. */
  hostOf({ memory }: Tensor): KernelHost | undefined {
    this.#assertOpen();
    return this.#owners.get(memory);
  }

  /**
   * Allocates a parameter: a zeroed tensor that lives until its owner calls `dispose()`.
   * Throws `E_MEMORY` if the bytes are not to be had, `E_DISPOSED` after `close()`.
   */
  tensor(shape: readonly number[]): Tensor {
    this.#assertOpen();
    return newTensor(this.#host, shape);
  }

  /** As `tensor`, but a table above `ownMemoryBytes` gets a memory of its own: many of them do not fit one heap of 4 GiB. */
  table(shape: readonly number[]): Tensor {
    this.#assertOpen();
    const byteLength = bytesOf(shape);
    if (byteLength <= this.#ownMemoryBytes) return this.tensor(shape);
    if (byteLength > MAX_OWN_MEMORY_BYTES) return new Tensor(shape, { buffer: plainBuffer(byteLength) }, 0, { alive: true });
    const host = new MemoryHost(this.#crew, this.simd);
    this.#owners.set(host.memory, host);
    return newTensor(host, shape, () => host.drop());
  }

  /** Allocates a zeroed tensor that dies with the open step. Throws `E_STEP` when none is open, otherwise as `tensor`. */
  scratch(shape: readonly number[]): Tensor {
    const tensor = this.rawScratch(shape);
    this.#host.bytes.fill(0, tensor.byteOffset, tensor.byteOffset + 4 * tensor.size);
    return tensor;
  }

  /** As `scratch`, but with undefined contents, for kernels that write every element. */
  rawScratch(shape: readonly number[]): Tensor {
    const byteOffset = this.reserve(bytesOf(shape));
    return new Tensor(shape, this.#host.memory, byteOffset, this.#scratchLife);
  }

  /** Reserves bytes of the heap until the end of the open step; returns their offset. Throws `E_STEP` when none is open. */
  reserve(byteLength: number): number {
    this.#assertOpen();
    if (!this.#stepOpen) {
      throw new TtError("E_STEP", "scratch tensors live in a step: call this inside runtime.step(async () => …)");
    }
    const offset = this.#scratch.reserve(byteLength);
    if (this.#poison) this.#host.floats.fill(Number.NaN, offset / 4, Math.floor((offset + byteLength) / 4));
    return offset;
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
      this.#scratchLife.alive = false;
      this.#scratchLife = { alive: true };
      this.#scratch.reset(this.#poison);
    }
  }

  /** Whether a step is open, so that scratch memory is to be had. */
  get isStepOpen(): boolean {
    return this.#stepOpen;
  }

  /** Inside a step: runs `body`, and ends the life of the scratch tensors made in it. Throws `E_STEP` when no step is open. */
  async scope<T>(body: () => Promise<T>): Promise<T> {
    if (!this.#stepOpen) throw new TtError("E_STEP", "a scope is a part of a step: call it inside runtime.step(async () => …)");
    const [outer, mark] = [this.#scratchLife, this.#scratch.mark()];
    this.#scratchLife = { alive: true };
    try {
      return await body();
    } finally {
      this.#scratchLife.alive = false;
      this.#scratchLife = outer;
      this.#scratch.reset(this.#poison, mark);
    }
  }

  /** The life of the open step's scratch memory: what is derived from it may be used again while it is alive. */
  get scratchLife(): Readonly<Lifetime> {
    return this.#scratchLife;
  }

  /** Bytes of scratch memory held for steps and for the calls of kernels. */
  get scratchBytes(): number {
    return this.#scratch.bytes + this.#host.workspaceBytes;
  }

  /** Ends the threads; allocating or computing throws afterwards. Calling it twice is harmless. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#crew.close();
  }

  #assertOpen(): void {
    if (this.#closed) throw new TtError("E_DISPOSED", "the runtime was used after close()");
  }
}

function bytesOf(shape: readonly number[]): number {
  return sizeOfShape(shape) * Float32Array.BYTES_PER_ELEMENT;
}

function newTensor({ memory }: MemoryHost, shape: readonly number[], onRelease?: () => void): Tensor {
  const byteLength = bytesOf(shape);
  const offset = memory.allocateZeroed(byteLength);
  const release = (): void => {
    memory.free(offset, byteLength);
    onRelease?.();
  };
  return new Tensor(shape, memory, offset, { alive: true, release });
}

/** A buffer that no kernel can address; plain TypeScript works on it. */
function plainBuffer(byteLength: number): ArrayBufferLike {
  try {
    return canShare ? new SharedArrayBuffer(byteLength) : new ArrayBuffer(byteLength);
  } catch (cause) {
    throw new TtError("E_MEMORY", `${byteLength} bytes for a tensor are not to be had`, {}, { cause });
  }
}
