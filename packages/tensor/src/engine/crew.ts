import { TtError } from "../errors.ts";
import { ACTIVE, CONTROL_BYTES, drain, EPOCH, FAILED, LEAVE, MAX_TASKS, OPEN, PARK, SLEEPING, writeTasks } from "./control.ts";
import type { Task } from "./kernel-host.ts";
import { canStartThreads, startThread, type Thread } from "./thread.ts";
import type { KernelFunction, WasmMemory, WasmModule } from "./web-assembly.ts";

/** How long an idle worker spins before it sleeps: longer than the gaps between the calls of a step, shorter than a user's pause. */
const SPIN_MS = 0.1;

/** How long the caller spins for the last chunks of others before it goes back to its event loop now and then. */
const PATIENCE_MS = 2;

/** Below this much work a call is not worth a second thread. */
const ALONE_NANOSECONDS = 15_000;

/** The caller's thread and its workers. They share memories and kernels, and run the tasks of a call together. */
export class Crew {
  /** Threads that work, the caller's included. */
  readonly threads: number;
  readonly #control: Int32Array;
  readonly #workers: Thread[];
  readonly #kernels: KernelFunction[] = [];
  #generation = 0;
  #failure: TtError | undefined;
  #closing = false;
  /** The call under way, if it could not be finished at once. */
  #underWay: Promise<void> | undefined;
  /** Ends the wait for the workers' start. */
  #started: () => void = () => undefined;

  private constructor(threads: number, onReady: () => void) {
    this.threads = threads;
    this.#control = new Int32Array(threads > 1 ? new SharedArrayBuffer(CONTROL_BYTES) : new ArrayBuffer(CONTROL_BYTES));
    this.#workers = Array.from({ length: threads - 1 }, () =>
      startThread({
        onReply: (reply) => (reply.kind === "ready" ? onReady() : this.#fail(`a kernel trapped in a worker: ${reply.message}`)),
        onEnd: (reason) => {
          if (!this.#closing) this.#fail(`a worker ended: ${reason}`);
        },
      }),
    );
  }

  /** Starts `threads` − 1 workers, or none where they cannot be had, and waits until they serve. */
  static async start(threads: number): Promise<Crew> {
    let missing = canStartThreads() ? threads - 1 : 0;
    const crew = new Crew(missing + 1, () => {
      if (--missing === 0) crew.#started();
    });
    if (missing === 0) return crew;
    await new Promise<void>((resolve) => {
      crew.#started = resolve;
      for (const worker of crew.#workers) {
        worker.hold(true);
        worker.post({ kind: "start", control: crew.#control.buffer as SharedArrayBuffer, spinMs: SPIN_MS });
        worker.post({ kind: "work", generation: 0 });
      }
    });
    for (const worker of crew.#workers) worker.hold(false);
    crew.#assertSound();
    return crew;
  }

  /** Gives kernels to every thread; returns the number of the first. */
  add(kernels: readonly KernelFunction[], module: WasmModule, memory: WasmMemory): number {
    const first = this.#kernels.length;
    this.#kernels.push(...kernels);
    this.#tell((worker) => worker.post({ kind: "load", first, module, memory }));
    return first;
  }

  /** Takes kernels away again, so that the memory that they are bound to can be freed. */
  drop(first: number, count: number): void {
    this.#kernels.fill(() => undefined, first, first + count);
    this.#tell((worker) => worker.post({ kind: "drop", first, count }));
  }

  /** Runs tasks on all threads; a call waits for the one before it. Throws `E_WORKER` if a kernel trapped or a worker ended. */
  async run(tasks: readonly Task[], nanoseconds: number): Promise<void> {
    while (this.#underWay !== undefined) await this.#underWay.catch(() => undefined);
    if (this.runShort(tasks, nanoseconds)) return;
    this.#assertSound();
    for (let first = 0; first < tasks.length; first += MAX_TASKS) {
      await this.#runTogether(tasks.length <= MAX_TASKS ? tasks : tasks.slice(first, first + MAX_TASKS));
    }
  }

  /** As `run`, at once, unless other threads are to help or a call is under way: then nothing is done, and the answer is false. */
  runShort(tasks: readonly Task[], nanoseconds: number): boolean {
    const isAlone = this.#workers.length === 0 || nanoseconds < ALONE_NANOSECONDS;
    if (!isAlone || this.#underWay !== undefined) return false;
    this.#assertSound();
    this.#runAlone(tasks);
    return true;
  }

  /** Runs a task on the caller's thread, whatever the others do meanwhile. Throws `E_WORKER` if the kernel trapped. */
  runNow(task: Task): void {
    this.#assertSound();
    this.#runAlone([task]);
  }

  /** Sends idle workers to sleep, so that they do not spin beside other threads of the process. */
  park(): void {
    Atomics.store(this.#control, PARK, 1);
  }

  /** Ends the workers. */
  async close(): Promise<void> {
    this.#closing = true;
    await Promise.all(this.#workers.map((worker) => worker.end()));
  }

  #runAlone(tasks: readonly Task[]): void {
    try {
      for (const { kernel, args, units } of tasks) this.#kernels[kernel](args, 0, units);
    } catch (error) {
      throw this.#fail(`a kernel trapped: ${describe(error)}`, error);
    }
  }

  async #runTogether(tasks: readonly Task[]): Promise<void> {
    const control = this.#control;
    writeTasks(control, tasks);
    Atomics.store(control, PARK, 0);
    Atomics.store(control, OPEN, 1);
    Atomics.add(control, EPOCH, 1);
    if (Atomics.load(control, SLEEPING) > 0) Atomics.notify(control, EPOCH);
    let trap: TtError | undefined;
    try {
      drain(control, this.#kernels);
    } catch (error) {
      trap = this.#fail(`a kernel trapped: ${describe(error)}`, error);
    }
    Atomics.store(control, OPEN, 0);
    if (!this.#spin()) {
      this.#underWay = this.#wait();
      try {
        await this.#underWay;
      } finally {
        this.#underWay = undefined;
      }
    }
    if (trap !== undefined) throw trap;
    if (Atomics.load(control, FAILED) === 1) await this.#hearTrap();
    this.#assertSound();
  }

  /** Waits briefly for the workers to finish; true if they did. */
  #spin(): boolean {
    if (Atomics.load(this.#control, ACTIVE) === 0) return true;
    const until = performance.now() + PATIENCE_MS;
    while (performance.now() < until) {
      for (let look = 0; look < 64; look++) if (Atomics.load(this.#control, ACTIVE) === 0) return true;
    }
    return false;
  }

  /** Waits through the event loop, which learns there of workers that ended. */
  async #wait(): Promise<void> {
    while (Atomics.load(this.#control, ACTIVE) !== 0) {
      this.#assertSound();
      // Its workers will never say that they are done.
      if (this.#closing) throw new TtError("E_DISPOSED", "the runtime was closed during a call");
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  }

  /** Waits for the worker's word on what trapped, which comes through the event loop. */
  async #hearTrap(): Promise<void> {
    for (let turn = 0; turn < 100 && this.#failure === undefined; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
    this.#fail("a kernel trapped in a worker");
  }

  /** Lets the workers serve messages between two calls. */
  #tell(post: (worker: Thread) => void): void {
    if (this.#workers.length === 0) return;
    this.#generation = Atomics.add(this.#control, LEAVE, 1) + 1;
    Atomics.add(this.#control, EPOCH, 1);
    Atomics.notify(this.#control, EPOCH);
    for (const worker of this.#workers) {
      post(worker);
      worker.post({ kind: "work", generation: this.#generation });
    }
  }

  /** Records the first failure; the crew is of no use afterwards. */
  #fail(reason: string, cause?: unknown): TtError {
    this.#failure ??= new TtError(
      "E_WORKER",
      `${reason}; the runtime is closed`,
      {},
      cause === undefined ? undefined : { cause },
    );
    this.#started();
    void this.close();
    return this.#failure;
  }

  #assertSound(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
