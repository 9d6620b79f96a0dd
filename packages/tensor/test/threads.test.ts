import { execFile } from "node:child_process";
import { promisify } from "node:util";
import workerThreads, { type Worker } from "node:worker_threads";
import { Runtime } from "@tt-rec/tensor";
import { rejectsCode } from "@tt-rec/testing";
import test from "ava";
import { threadKernels } from "./thread-kernels.ts";

/** The workers of all runtimes made here, so that a test can kill one. */
const workers: Worker[] = [];
const { Worker: NodeWorker } = workerThreads;
workerThreads.Worker = class extends NodeWorker {
  constructor(...args: ConstructorParameters<typeof NodeWorker>) {
    super(...args);
    workers.push(this);
  }
};

/** More work than any call is done alone for. */
const MUCH = 1e9;

async function kernelsOf(runtime: Runtime): Promise<(name: string) => number> {
  const kernels = runtime.host.load(threadKernels);
  await runtime.host.run([{ kernel: kernels.get("mark") as number, args: 0, units: 1, grain: 1 }], 0);
  return (name) => kernels.get(name) as number;
}

/** Adds 1 to each of some words on all threads, and tells whether each was met once. */
async function addsOnce(runtime: Runtime, units: number, grain: number): Promise<boolean> {
  const { host } = runtime;
  const add = host.load(threadKernels).get("add") as number;
  return host.call(async (workspace) => {
    const args = [workspace.reserve(4 * units), workspace.reserve(4 * units)];
    for (const at of args) host.words.fill(0, at / 4, at / 4 + units);
    await host.run(
      args.map((at) => ({ kernel: add, args: at, units, grain })),
      MUCH,
    );
    return args.every((at) => host.words.subarray(at / 4, at / 4 + units).every((word) => word === 1));
  });
}

test.serial("every unit of every task runs once, whatever the number of threads and the grain", async (t) => {
  for (const threads of [1, 2, 3, 4]) {
    const runtime = await Runtime.create({ threads });
    t.is(runtime.threads, threads);
    for (const [units, grain] of [
      [1, 1],
      [997, 1],
      [1000, 7],
      [5, 100],
      [0, 3],
    ]) {
      for (let call = 0; call < 20; call++)
        t.true(await addsOnce(runtime, units, grain), `${threads} threads, ${units} by ${grain}`);
    }
    await runtime.close();
  }
});

test.serial("calls that overlap, and more tasks than the list holds, lose nothing", async (t) => {
  const runtime = await Runtime.create({ threads: 2 });
  t.deepEqual(await Promise.all([addsOnce(runtime, 997, 3), addsOnce(runtime, 1009, 5), addsOnce(runtime, 13, 1)]), [
    true,
    true,
    true,
  ]);
  const { host } = runtime;
  const kernel = host.load(threadKernels).get("add") as number;
  await host.call(async (workspace) => {
    const tasks = Array.from({ length: 10_000 }, () => ({ kernel, args: workspace.reserve(4), units: 1, grain: 1 }));
    for (const task of tasks) host.words[task.args / 4] = 0;
    await host.run(tasks, MUCH);
    t.true(tasks.every((task) => host.words[task.args / 4] === 1));
  });
  await runtime.close();
});

test.serial("workers that went to sleep wake for the next call", async (t) => {
  const runtime = await Runtime.create({ threads: 2 });
  for (let pause = 0; pause < 3; pause++) {
    await new Promise((resolve) => setTimeout(resolve, 30));
    t.true(await addsOnce(runtime, 1000, 1));
    runtime.host.park();
  }
  await runtime.close();
});

test.serial("a worker killed in mid-kernel rejects the call and closes the runtime", async (t) => {
  const before = workers.length;
  const runtime = await Runtime.create({ threads: 2 });
  const kernel = await kernelsOf(runtime);
  const call = runtime.host.run([{ kernel: kernel("spin"), args: 0, units: 1_000_000, grain: 1 }], MUCH);
  // The caller's units end at once; the worker's never does.
  setTimeout(() => void workers[before].terminate(), 50);
  await rejectsCode(t, "E_WORKER", call, /a worker ended: exit code 1; the runtime is closed/);
  await rejectsCode(t, "E_WORKER", addsOnce(runtime, 10, 1));
  await runtime.close();
});

test.serial("a worker killed between two calls rejects the next one", async (t) => {
  const before = workers.length;
  const runtime = await Runtime.create({ threads: 2 });
  await workers[before].terminate();
  await rejectsCode(t, "E_WORKER", addsOnce(runtime, 10, 1), /a worker ended/);
  await runtime.close();
});

test.serial("a trap rejects the call, in a worker and on the caller", async (t) => {
  for (const [threads, name] of [
    [2, "trap"],
    [2, "trapAlways"],
    [1, "trapAlways"],
  ] as const) {
    const runtime = await Runtime.create({ threads });
    const kernel = await kernelsOf(runtime);
    // So many units that the worker wakes before the caller has done them all.
    const call = runtime.host.run([{ kernel: kernel(name), args: 0, units: 1_000_000, grain: 1 }], MUCH);
    await rejectsCode(t, "E_WORKER", call, /a kernel trapped.*unreachable.*the runtime is closed/);
    await rejectsCode(t, "E_WORKER", addsOnce(runtime, 10, 1));
    await runtime.close();
  }
});

test.serial("closing a runtime in mid-call rejects the call", async (t) => {
  const runtime = await Runtime.create({ threads: 2 });
  const kernel = await kernelsOf(runtime);
  const call = runtime.host.run([{ kernel: kernel("spin"), args: 0, units: 1_000_000, grain: 1 }], MUCH);
  setTimeout(() => void runtime.close(), 50);
  await rejectsCode(t, "E_DISPOSED", call, /closed during a call/);
});

test.serial("a closed runtime leaves no worker behind", async (t) => {
  const before = workers.length;
  const runtime = await Runtime.create({ threads: 3 });
  const ended = workers.slice(before).map((worker) => new Promise((resolve) => worker.once("exit", resolve)));
  t.is(ended.length, 2);
  await Promise.all([runtime.close(), ...ended]);
  await runtime.close();
  t.throws(() => runtime.host, { code: "E_DISPOSED" });
});

test.serial("an open runtime does not keep its process alive", async (t) => {
  const { stdout } = await promisify(execFile)(process.execPath, [new URL("./idle-runtime.js", import.meta.url).pathname], {
    timeout: 20_000,
  });
  t.is(stdout, "done");
});

test.serial("a number of threads that is none is refused", async (t) => {
  for (const threads of [0, -1, 1.5, Number.NaN, 257]) {
    await rejectsCode(t, "E_OPTION", Runtime.create({ threads }), /threads = .* is not a whole number from 1 to 256/);
  }
});
