import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Writable } from "node:stream";
import { type Blas, type Runtime, TtError } from "@tt-rec/tensor";
import test, { type ExecutionContext } from "ava";
import { MACHINE_OPTIONS } from "../src/options/machine-options.ts";
import { TRAIN_OPTIONS } from "../src/options/train-options.ts";
import { createReporter } from "../src/output/reporter.ts";
import { chooseBlas, withRuntime } from "../src/run/with-runtime.ts";
import { eventsOf, inFolder, type Outcome, ttRec, ttRecProcess, weightsIn } from "./support.ts";

const MODEL = "--embedding-dim 8 --bottom-mlp 64-8 --top-mlp 64-1 --optimizer adagrad --learning-rate 0.02".split(" ");
const TT = "--tt-tables 3 --tt-ranks 4 --cache-share 0.05 --cache-warmup 2 --cache-refresh 3".split(" ");
const PLAIN = ["--simd", "simd", "--blas", "off"];

/** Ends every worker as soon as a file exists. */
const fragileWorkers = (file: string): string => `
import { existsSync } from "node:fs";
import threads from "node:worker_threads";
const { Worker } = threads;
threads.Worker = class extends Worker {
  constructor(...given) {
    super(...given);
    setInterval(() => existsSync(${JSON.stringify(file)}) && this.terminate(), 5).unref();
  }
};`;

/** A folder with a small data set under the name `data`. */
function withData(t: ExecutionContext, use: (path: (name: string) => string) => Promise<void>): Promise<void> {
  return inFolder(async (path) => {
    succeeded(t, await ttRec("generate", path("log.tsv"), "--rows", "2000", "--scale", "0.001"));
    succeeded(t, await ttRec("prepare", path("log.tsv"), "--out", path("data")));
    await use(path);
  });
}

function succeeded(t: ExecutionContext, outcome: Outcome): Outcome {
  t.is(outcome.code, 0, outcome.stderr);
  return outcome;
}

function recordIn(folder: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(folder, "run.json"), "utf8")) as Record<string, unknown>;
}

test("train and evaluate say which engine computes, and run and checkpoint keep it", async (t) => {
  await withData(t, async (path) => {
    const engine = { event: "engine", engine: "wasm-simd", threads: 2 };
    const machine = [...PLAIN, "--threads", "2"];
    const trained = succeeded(t, await ttRec("train", path("data"), "--out", path("run"), "--json", ...MODEL, ...machine));
    t.deepEqual(eventsOf(trained)[0], engine);
    t.like(eventsOf(trained).at(-1), { event: "trained", engine: "wasm-simd", threads: 2 });
    t.like(recordIn(path("run")), { engine: "wasm-simd", threads: 2 });
    t.like(JSON.parse(readFileSync(join(path("run"), "checkpoint.json"), "utf8")), { engine: "wasm-simd" });
    t.deepEqual(eventsOf(succeeded(t, await ttRec("evaluate", path("run"), path("data"), "--json", ...machine)))[0], engine);
    const text = succeeded(t, await ttRec("evaluate", path("run"), path("data"), ...PLAIN, "--threads", "1"));
    t.is(text.stdout.split("\n")[0], "engine wasm-simd, 1 thread");
  });
});

test("the model is the same to the bit on any number of threads, and when that changes in the middle of a run", async (t) => {
  await withData(t, async (path) => {
    const train = async (out: string, threads: number, ...more: string[]): Promise<Outcome> => {
      const settings = [...MODEL, ...TT, "--batch-size", "367", ...PLAIN, "--threads", String(threads)];
      return succeeded(t, await ttRec("train", path("data"), "--out", path(out), ...settings, ...more));
    };
    await train("one", 1, "--epochs", "2");
    await train("three", 3, "--epochs", "2");
    t.true(weightsIn(path("three")).equals(weightsIn(path("one"))));
    await train("both", 2, "--epochs", "1");
    t.is((await train("both", 3, "--epochs", "2", "--resume")).stderr, "");
    t.true(weightsIn(path("both")).equals(weightsIn(path("one"))));
  });
});

test("the command has the relaxed build where the engine knows it, and writes nothing that nobody asked for", async (t) => {
  await withData(t, async (path) => {
    const { stdout, stderr } = succeeded(
      t,
      await ttRecProcess(["train", path("data"), "--out", path("run"), ...MODEL, "--blas", "off"]),
    );
    t.regex(stdout, /^engine wasm-relaxed, \d+ threads?\n/);
    t.is(stderr, "");
  });
});

test("a resume on another engine warns, with both names, and goes on", async (t) => {
  await withData(t, async (path) => {
    const train = ["train", path("data"), "--out", path("run"), ...MODEL, "--blas", "off"];
    succeeded(t, await ttRec(...train, "--simd", "simd"));
    const text = succeeded(t, await ttRecProcess([...train, "--simd", "relaxed", "--epochs", "2", "--resume"]));
    t.regex(
      text.stderr,
      /^tt-rec: warning: the checkpoint in .* saved by the engine wasm-simd, this is wasm-relaxed: the last bits .*\n$/,
    );
    t.like(recordIn(path("run")), { engine: "wasm-relaxed", settings: { epochs: 2 } });

    const resumed = [...train, "--simd", "simd", "--resume", "--json", "--epochs"];
    const back = succeeded(t, await ttRec(...resumed, "3"));
    t.is(back.stderr, "");
    t.like(
      eventsOf(back).find(({ event }) => event === "warning"),
      { saved: "wasm-relaxed", engine: "wasm-simd" },
    );
    const same = succeeded(t, await ttRec(...resumed, "4"));
    t.false(eventsOf(same).some(({ event }) => event === "warning"));
  });
});

test("--blas auto takes a library that is there and does without one that is not; a named one must be there", async (t) => {
  const library: Blas = { name: "testblas", setThreads: (threads) => threads, sgemm: () => undefined };
  const asked: unknown[] = [];
  const found = async (options?: unknown): Promise<Blas> => {
    asked.push(options);
    return library;
  };
  t.is(await chooseBlas("auto", found), library);
  t.is(await chooseBlas("libtest.so", found), library);
  t.is(await chooseBlas("off", found), "off");
  t.deepEqual(asked, [undefined, { library: "libtest.so" }]);

  const missing = (): Promise<Blas> => Promise.reject(new TtError("E_NOT_FOUND", "no library"));
  t.is(await chooseBlas("auto", missing), "off");
  await t.throwsAsync(chooseBlas("libtest.so", missing), { code: "E_NOT_FOUND" });
  await t.throwsAsync(
    chooseBlas("auto", () => Promise.reject(new Error("unforeseen"))),
    { message: "unforeseen" },
  );
});

test("the runtime is closed when its user is done, and when its user fails", async (t) => {
  const sink = new Writable({ write: (_chunk, _encoding, done) => done() });
  const reporter = createReporter({ stdout: sink, stderr: sink }, false);
  const machine = { threads: 2, blas: "off", simd: "auto" } as const;
  const lent: Runtime[] = [];
  const fail = (runtime: Runtime): Promise<never> => {
    lent.push(runtime);
    return Promise.reject(new Error("a user's mistake"));
  };
  t.is(await withRuntime(machine, reporter, async (runtime) => lent.push(runtime)), 1);
  await t.throwsAsync(withRuntime(machine, reporter, fail), { message: "a user's mistake" });
  for (const runtime of lent) t.throws(() => runtime.tensor([1]), { code: "E_DISPOSED" });
});

test("settings of the machine that break their rule end with one line, and nothing is written", async (t) => {
  await withData(t, async (path) => {
    const cases: [RegExp, string[]][] = [
      [/--threads = 0 is not a whole number of at least 1/, ["--threads", "0"]],
      [/--threads = "many" is not/, ["--threads", "many"]],
      [/threads = 257 is not a whole number from 1 to 256/, ["--threads", "257"]],
      [/--simd = "avx" is not one of auto, simd, relaxed/, ["--simd", "avx"]],
      [/--blas = 0 is not auto, off, or the path of a library/, ["--blas", "0"]],
      [/\/nowhere\/libblas\.so|koffi/, ["--blas", "/nowhere/libblas.so"]],
    ];
    for (const [message, flags] of cases) {
      const { code, stderr } = await ttRec("train", path("data"), "--out", path("x"), ...MODEL, ...flags);
      t.is(code, 2, stderr);
      t.regex(stderr, message);
      t.is(stderr.trim().split("\n").length, 1, stderr);
    }
    writeFileSync(path("config.json"), '{"threads": 2}');
    const { code, stderr } = await ttRec("train", path("data"), "--out", path("x"), "--config", path("config.json"));
    t.is(code, 2);
    t.regex(stderr, /unknown key "threads"/);
    t.false(existsSync(path("x")));
  });
  // A name that both held would be read from the flags twice.
  t.deepEqual(
    Object.keys(MACHINE_OPTIONS).filter((name) => name in TRAIN_OPTIONS),
    [],
  );
});

test("a worker that ends takes the run with it: one line, exit code 5, and the last checkpoint stays", async (t) => {
  await withData(t, async (path) => {
    const settings = [...MODEL, ...PLAIN, "--threads", "2", "--epochs", "100000", "--checkpoint-every", "1"];
    const { code, stderr } = await ttRecProcess(
      ["train", path("data"), "--out", path("run"), ...settings],
      ["--import", `data:text/javascript,${encodeURIComponent(fragileWorkers(join(path("run"), "checkpoint.json")))}`],
    );
    t.is(code, 5, stderr);
    t.regex(stderr, /^tt-rec: a worker ended: exit code 1; the runtime is closed\n$/);
    t.false(existsSync(join(path("run"), "run.json")));
    succeeded(t, await ttRec("evaluate", path("run"), path("data")));
  });
});

test("compare names the engines where they differ", async (t) => {
  await withData(t, async (path) => {
    const train = (out: string, threads: string): Promise<Outcome> =>
      ttRec("train", path("data"), "--out", path(out), ...MODEL, ...PLAIN, "--threads", threads);
    for (const [out, threads] of [
      ["a", "1"],
      ["b", "1"],
      ["c", "2"],
    ])
      succeeded(t, await train(out, threads));
    t.notRegex(succeeded(t, await ttRec("compare", path("a"), path("b"))).stdout, /engine/);
    const { stdout } = succeeded(t, await ttRec("compare", path("a"), path("c")));
    for (const word of [/engine/, /wasm-simd, 1 thread /, /wasm-simd, 2 threads /]) t.regex(stdout, word);
  });
});

test("train --backend gpu says which adapter computes, warns if it is no GPU, and learns what the CPU learns", async (t) => {
  await withData(t, async (path) => {
    const model = [...MODEL, "--tt-tables", "3", "--tt-ranks", "4", "--batch-size", "367", ...PLAIN, "--threads", "1"];
    const train = (out: string, ...more: string[]): Promise<Outcome> =>
      ttRec("train", path("data"), "--out", path(out), "--json", ...model, ...more);
    const onCpu = succeeded(t, await train("cpu"));
    const onGpu = succeeded(t, await train("gpu", "--backend", "gpu", "--gpu-mode", "webasm"));
    t.deepEqual(eventsOf(onGpu)[1], { event: "gpu", mode: "webasm", adapter: "WebAssembly on the CPU", software: true });
    t.like(eventsOf(onGpu)[2], { event: "warning", mode: "webasm" });
    t.like(recordIn(path("gpu")), { engine: "wasm-simd, TT on gpu-webasm" });
    const losses = (of: Outcome): number[] => eventsOf(of).flatMap(({ event, loss }) => (event === "step" ? [Number(loss)] : []));
    for (const [i, loss] of losses(onCpu).entries()) t.true(Math.abs(losses(onGpu)[i] - loss) < 1e-4);
    t.true(losses(onCpu).length > 3);
    const cached = await train("cached", "--backend", "gpu", "--cache-share", "0.1");
    t.is(cached.code, 2);
    t.regex(cached.stderr, /has a cache, and cached tables do not run on gpu-webasm/);
    const missing = await train("none", "--backend", "gpu", "--gpu-mode", "webgl2");
    t.is(missing.code, 5);
    t.is(missing.stderr, "tt-rec: no device answers in GPU mode webgl2; tried webgl2 (there is no canvas)\n");
  });
});
