import { Arena } from "./arena.ts";
import type { Crew } from "./crew.ts";
import { Heap } from "./heap.ts";
import type { Kernel, KernelHost, KernelModule, Task, Workspace } from "./kernel-host.ts";
import { compileKernels, instantiateKernels, type SimdBuild } from "./kernel-module.ts";

/** A memory with the kernels that are bound to it, run by a crew that may serve other memories too. */
export class MemoryHost implements KernelHost, Workspace {
  readonly memory: Heap = new Heap();
  readonly #crew: Crew;
  readonly #build: SimdBuild;
  readonly #modules = new Map<KernelModule, ReadonlyMap<string, Kernel>>();
  readonly #arena: Arena;
  /** Calls whose workspace is in use. */
  #calls = 0;

  constructor(crew: Crew, build: SimdBuild) {
    this.#crew = crew;
    this.#build = build;
    this.#arena = new Arena(this.memory);
  }

  get bytes(): Uint8Array {
    return this.memory.bytes;
  }

  get floats(): Float32Array {
    return this.memory.floats;
  }

  get words(): Uint32Array {
    return this.memory.words;
  }

  get threads(): number {
    return this.#crew.threads;
  }

  load(module: KernelModule): ReadonlyMap<string, Kernel> {
    const known = this.#modules.get(module);
    if (known !== undefined) return known;
    const compiled = compileKernels(module, this.#build);
    const kernels = instantiateKernels(compiled, this.memory.memory);
    const first = this.#crew.add(
      kernels.map(([, kernel]) => kernel),
      compiled,
      this.memory.memory,
    );
    const byName = new Map(kernels.map(([name], i) => [name, first + i]));
    this.#modules.set(module, byName);
    return byName;
  }

  async call<T>(body: (workspace: Workspace) => Promise<T>): Promise<T> {
    const workspace = this.enter();
    try {
      return await body(workspace);
    } finally {
      this.leave();
    }
  }

  enter(): Workspace {
    this.#calls++;
    return this;
  }

  leave(): void {
    if (--this.#calls === 0) this.#arena.reset(false);
  }

  run(tasks: readonly Task[], nanoseconds: number): Promise<void> {
    return this.#crew.run(tasks, nanoseconds);
  }

  runShort(tasks: readonly Task[], nanoseconds: number): boolean {
    return this.#crew.runShort(tasks, nanoseconds);
  }

  runNow(task: Task): void {
    this.#crew.runNow(task);
  }

  park(): void {
    this.#crew.park();
  }

  reserve(byteLength: number): number {
    return this.#arena.reserve(byteLength);
  }

  record(words: readonly number[]): number {
    const offset = this.#arena.reserve(4 * words.length);
    this.words.set(words, offset / 4);
    return offset;
  }

  /** Lets the memory be freed: no thread holds a kernel that is bound to it any longer. */
  drop(): void {
    for (const kernels of this.#modules.values()) this.#crew.drop(Math.min(...kernels.values()), kernels.size);
    this.#modules.clear();
  }

  /** Bytes held for the workspaces of calls. */
  get workspaceBytes(): number {
    return this.#arena.bytes;
  }
}
