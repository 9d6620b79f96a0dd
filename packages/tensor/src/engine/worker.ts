/** The program of a worker thread: serves messages, and between them takes part in the calls of its crew. */
import { ACTIVE, drain, EPOCH, FAILED, LEAVE, OPEN, PARK, SLEEPING } from "./control.ts";
import { instantiateKernels } from "./kernel-module.ts";
import { nodeThreads, type ThreadMessage, type ThreadReply } from "./thread.ts";
import type { KernelFunction } from "./web-assembly.ts";

/** Looks at the control words between two looks at the clock. */
const LOOKS = 256;

const scope = globalThis as unknown as {
  onmessage: ((event: { readonly data: ThreadMessage }) => void) | null;
  postMessage(reply: ThreadReply): void;
};
const parent = nodeThreads?.parentPort ?? undefined;
const reply = (message: ThreadReply): void => (parent ?? scope).postMessage(message);

const kernels: KernelFunction[] = [];
let control: Int32Array = new Int32Array(0);
let spinMs = 0;

function serve(message: ThreadMessage): void {
  if (message.kind === "start") {
    control = new Int32Array(message.control);
    spinMs = message.spinMs;
    reply({ kind: "ready" });
  } else if (message.kind === "load") {
    for (const [i, [, kernel]] of instantiateKernels(message.module, message.memory).entries())
      kernels[message.first + i] = kernel;
  } else if (message.kind === "drop") {
    // Frees the memory that the kernels were bound to.
    kernels.fill(dropped, message.first, message.first + message.count);
  } else {
    work(message.generation);
  }
}

function dropped(): void {
  throw new Error("the kernel's memory was given up");
}

function work(generation: number): void {
  while (Atomics.load(control, LEAVE) === generation) {
    const epoch = Atomics.load(control, EPOCH);
    Atomics.add(control, ACTIVE, 1);
    try {
      if (Atomics.load(control, OPEN) === 1) drain(control, kernels);
    } catch (error) {
      Atomics.store(control, FAILED, 1);
      reply({ kind: "trap", message: error instanceof Error ? error.message : String(error) });
      return;
    } finally {
      Atomics.sub(control, ACTIVE, 1);
    }
    waitForCall(epoch, generation);
  }
}

/** Waits for the next call: spins first, since the steps of a model follow each other within microseconds, then sleeps. */
function waitForCall(epoch: number, generation: number): void {
  const until = performance.now() + spinMs;
  while (Atomics.load(control, PARK) === 0 && performance.now() < until) {
    for (let look = 0; look < LOOKS; look++) {
      if (Atomics.load(control, EPOCH) !== epoch) return;
    }
  }
  Atomics.add(control, SLEEPING, 1);
  if (Atomics.load(control, LEAVE) === generation) Atomics.wait(control, EPOCH, epoch);
  Atomics.sub(control, SLEEPING, 1);
}

if (parent !== undefined) parent.on("message", serve);
else scope.onmessage = ({ data }) => serve(data);
