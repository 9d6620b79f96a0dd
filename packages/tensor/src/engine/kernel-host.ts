import type { Memory } from "../tensor.ts";

/** A compiled module of kernels, embedded by the build: its two builds in base64. */
export interface KernelModule {
  /** Name for messages, such as `dense`. */
  readonly name: string;
  /** WebAssembly with SIMD, in base64. */
  readonly simd: string;
  /** WebAssembly with relaxed SIMD (fused multiply-add), in base64. */
  readonly relaxed: string;
}

/** Number of a kernel, the same in every thread; from `KernelHost.load`. */
export type Kernel = number;

/** A call of one kernel on the units [0, units) of its partitioned dimension, which threads take `grain` at a time. */
export interface Task {
  /** The kernel: `kernel(args, begin, end)`. */
  readonly kernel: Kernel;
  /** Byte offset of the kernel's argument record on the heap. */
  readonly args: number;
  /** Extent of the partitioned dimension. Units write disjoint outputs. */
  readonly units: number;
  /** Units that a thread takes at a time; a function of the shapes alone. */
  readonly grain: number;
}

/** Bytes on the heap that live until the end of one call. */
export interface Workspace {
  /** Reserves uninitialised bytes, 16-byte aligned; returns their offset on the heap. */
  reserve(byteLength: number): number;
  /** Writes an argument record of 32-bit words (unsigned offsets and counts, or `floatBits`); returns its offset. */
  record(words: readonly number[]): number;
}

/** What kernels need of a runtime. */
export interface KernelHost {
  /** The memory of the heap, in which every operand of a kernel must live. */
  readonly memory: Memory;
  /** The heap as bytes; a getter, since the memory may grow. */
  readonly bytes: Uint8Array;
  /** The heap as floats. */
  readonly floats: Float32Array;
  /** The heap as unsigned integers. */
  readonly words: Uint32Array;
  /** Threads that work, the caller's included. */
  readonly threads: number;
  /** Loads a module once, into every thread; returns its kernels by export name. */
  load(module: KernelModule): ReadonlyMap<string, Kernel>;
  /** Gives `body` a workspace and frees it when the promise settles. */
  call<T>(body: (workspace: Workspace) => Promise<T>): Promise<T>;
  /** Opens a workspace, for work that is not one function; pair it with `leave`. */
  enter(): Workspace;
  /** Gives up the workspace; when the last of those that overlap is given up, the bytes of all are. */
  leave(): void;
  /** Sends idle workers to sleep, so that they do not spin beside other threads of the process. */
  park(): void;
  /** Runs tasks side by side, in no order among them, and resolves when all are done; `nanoseconds` is a rough estimate for one thread. */
  run(tasks: readonly Task[], nanoseconds: number): Promise<void>;
  /**
   * As `run`, at once, if no other thread is to help and no call is under way; false says that nothing was done. In steps of small
   * batches the promises of `run` take as long as a kernel.
   */
  runShort(tasks: readonly Task[], nanoseconds: number): boolean;
  /** Runs one task on the caller's thread and returns when it is done, for short work where nothing can be awaited. */
  runNow(task: Task): void;
}

const word = new Uint32Array(1);
const float = new Float32Array(word.buffer);

/** The bits of a float32, as a word of an argument record. */
export function floatBits(value: number): number {
  float[0] = value;
  return word[0];
}
