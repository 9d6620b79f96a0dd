import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { readManifest } from "@tt-rec/dlrm";
import { createRng } from "@tt-rec/tensor";
import { nodeDirectory } from "@tt-rec/tensor/node";
import test, { type ExecutionContext } from "ava";
import { inFolder, ttRec, ttRecProcess, weightsIn } from "./support.ts";

/** Kills of each kind of model: 6 x 34 = 204 in all, or a handful. */
const KILLS = process.env.TT_REC_LONG ? 34 : 1;
const EPOCHS = process.env.TT_REC_LONG ? "150" : "12";

const MODEL = "--embedding-dim 4 --bottom-mlp 8-4 --top-mlp 8-1 --learning-rate 0.02 --batch-size 50".split(" ");
const PLAIN = "--simd simd --blas off".split(" ");
const TT = "--tt-tables 5 --tt-ranks 3".split(" ");
const KINDS = {
  dense: [],
  tt: TT,
  cached: [...TT, ..."--cache-share 0.05 --cache-warmup 5 --cache-refresh 7".split(" ")],
  int8: [...TT, ..."--cache-share 0.05 --cache-warmup 5 --cache-refresh 7 --cache-storage int8".split(" ")],
} as const;

async function succeeded(t: ExecutionContext, args: readonly string[]): Promise<void> {
  const { code, stderr } = await ttRec(...args);
  t.is(code, 0, stderr);
}

/** A folder with a small data set under the name `data`. */
function withData(t: ExecutionContext, use: (path: (name: string) => string) => Promise<void>): Promise<void> {
  return inFolder(async (path) => {
    await succeeded(t, ["generate", path("log.tsv"), "--rows", "2000", "--scale", "0.001"]);
    await succeeded(t, ["prepare", path("log.tsv"), "--out", path("data"), "--days", "3"]);
    await use(path);
  });
}

interface Started {
  readonly child: ChildProcess;
  readonly closed: Promise<unknown[]>;
  /** Everything that it wrote so far. */
  readonly output: () => string;
}

function start(args: readonly string[]): Started {
  const child = spawn(process.execPath, ["dist/src/main.js", ...args, "--json"], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout?.on("data", (chunk) => {
    output += String(chunk);
  });
  return { child, closed: once(child, "close"), output: () => output };
}

/** Waits until a process has told of something, or has ended. */
async function until({ closed, output }: Started, text: string): Promise<void> {
  let isOpen = true;
  closed.then(() => {
    isOpen = false;
  });
  while (isOpen && !output().includes(text)) await setTimeout(2);
}

for (const [kind, flags] of Object.entries(KINDS)) {
  for (const optimizer of ["sgd", "adagrad"]) {
    test.serial(
      `${kind}, ${optimizer}: killed ${KILLS} times, a run loses no checkpoint and ends in the bits of a whole one`,
      async (t) => {
        t.timeout(600_000);
        await withData(t, async (path) => {
          const settings = [
            path("data"),
            ...MODEL,
            ...flags,
            "--optimizer",
            optimizer,
            "--shuffle",
            "--epochs",
            EPOCHS,
            ...PLAIN,
          ];
          await succeeded(t, ["train", ...settings, "--out", path("whole"), "--threads", "1"]);
          const rng = createRng(kind.length + optimizer.length);
          let kills = 0;
          for (let part = 0; part < KILLS; part++) {
            const resume = part === 0 ? [] : ["--resume"];
            // Other threads each time, and checkpoints in the middle of epochs.
            const machine = ["--threads", String(1 + (part % 3)), "--checkpoint-every", "3"];
            const run = start(["train", ...settings, "--out", path("parts"), ...machine, ...resume]);
            await until(run, '"event":"checkpoint"');
            await setTimeout(150 * rng.uniform());
            if (run.child.kill("SIGKILL")) kills++;
            await run.closed;
            const told = [...run.output().matchAll(/"event":"checkpoint","step":(\d+)/g)].map(([, step]) => Number(step));
            const { progress } = await readManifest(nodeDirectory(path("parts")));
            t.true(progress.step >= Math.max(...told), `step ${progress.step} after ${told.at(-1)} was told`);
          }
          await succeeded(t, ["train", ...settings, "--out", path("parts"), "--threads", "2", "--resume"]);
          t.true(weightsIn(path("parts")).equals(weightsIn(path("whole"))));
          t.log(`${kills} kills`);
        });
      },
    );
  }
}

test.serial("SIGINT and SIGTERM save and end with their exit codes; the run goes on where it was", async (t) => {
  await withData(t, async (path) => {
    for (const [signal, code] of [
      ["SIGINT", 130],
      ["SIGTERM", 143],
    ] as const) {
      const settings = ["train", path("data"), ...MODEL, ...PLAIN, "--epochs", "2000", "--out", path(signal)];
      const run = start(settings);
      await until(run, '"event":"step"');
      const sent = performance.now();
      run.child.kill(signal);
      t.is((await run.closed)[0], code);
      t.true(performance.now() - sent < 5000);
      const [, step] = /"event":"interrupted","step":(\d+)/.exec(run.output()) ?? [];
      t.is((await readManifest(nodeDirectory(path(signal)))).progress.step, Number(step));
    }
  });
});

test.serial("a reader that leaves ends a run as SIGTERM does, saved, and other commands at once", async (t) => {
  await withData(t, async (path) => {
    const run = start(["train", path("data"), ...MODEL, ...PLAIN, "--epochs", "2000", "--out", path("run")]);
    await until(run, '"event":"step"');
    run.child.stdout?.destroy();
    t.is((await run.closed)[0], 143);
    t.true((await readManifest(nodeDirectory(path("run")))).progress.step > 0);
    const predict = start(["predict", path("run"), path("data"), path("log.tsv"), ...PLAIN]);
    predict.child.stdout?.destroy();
    t.is((await predict.closed)[0], 141);
  });
});

test.serial("a second signal ends the run at once, without a checkpoint", async (t) => {
  await withData(t, async (path) => {
    // A step takes long enough for both signals to come within it.
    const large = "--embedding-dim 16 --bottom-mlp 1024-1024-16 --top-mlp 1024-1024-1 --batch-size 2000 --epochs 100".split(" ");
    const run = start(["train", path("data"), ...large, "--threads", "1", ...PLAIN, "--out", path("run")]);
    await until(run, '"event":"step"');
    run.child.kill("SIGTERM");
    run.child.kill("SIGINT");
    t.true([130, 143].includes((await run.closed)[0] as number));
    t.notRegex(run.output(), /interrupted|checkpoint/);
  });
});

test.serial("a full disk ends a run with exit code 5 and one line, and the last checkpoint stays", async (t) => {
  await withData(t, async (path) => {
    const settings = ["train", path("data"), ...MODEL, ...PLAIN, "--out", path("run")];
    await succeeded(t, settings);
    const before = weightsIn(path("run"));
    // Files may not grow beyond a few KiB: what a full disk does, without a disk of its own.
    const command = `trap '' XFSZ; ulimit -f 8; exec "$0" dist/src/main.js "$@"`;
    const more = [...settings, "--epochs", "3", "--resume", "--checkpoint-every", "1"];
    const child = spawn("bash", ["-c", command, process.execPath, ...more], { stdio: ["ignore", "ignore", "pipe"] });
    let stderr = "";
    child.stderr.on("data", (chunk) => {
      stderr += String(chunk);
    });
    t.is((await once(child, "close"))[0], 5, stderr);
    t.regex(stderr, /^tt-rec: .*weights-\d+\.safetensors: EFBIG: .*\n$/);
    t.true(weightsIn(path("run")).equals(before));
    await succeeded(t, ["evaluate", path("run"), path("data"), "--which", "latest"]);
    await succeeded(t, more);
  });
});

test.serial("a folder that cannot be written is exit code 5, and its checkpoint stays", async (t) => {
  await withData(t, async (path) => {
    const settings = ["train", path("data"), ...MODEL, ...PLAIN, "--out", path("run")];
    await succeeded(t, settings);
    const before = readFileSync(join(path("run"), "checkpoint.json"));
    chmodSync(path("."), 0o755);
    chmodSync(path("run"), 0o555);
    // The superuser may write everywhere, so somebody else tries.
    const user = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
    const child = spawn(process.execPath, ["dist/src/main.js", ...settings, "--epochs", "2", "--resume"], {
      ...user,
      stdio: ["ignore", "ignore", "pipe"],
    });
    let stderr = "";
    child.stderr.on("data", (chunk) => {
      stderr += String(chunk);
    });
    const [code] = await once(child, "close");
    chmodSync(path("run"), 0o755);
    t.is(code, 5, stderr);
    t.regex(stderr, /EACCES/);
    t.true(readFileSync(join(path("run"), "checkpoint.json")).equals(before));
  });
});

test.serial("a checkpoint of another version is refused by name, with exit code 4", async (t) => {
  await withData(t, async (path) => {
    const settings = ["train", path("data"), ...MODEL, ...PLAIN, "--out", path("run")];
    await succeeded(t, settings);
    const directory = nodeDirectory(path("run"));
    const text = readFileSync(join(path("run"), "checkpoint.json"), "utf8");
    await directory.commit("checkpoint.json", new TextEncoder().encode(text.replace('"version": 2', '"version": 99')));
    const { code, stderr } = await ttRecProcess([...settings, "--resume"]);
    t.is(code, 4);
    t.regex(stderr, /version 99; this release reads version 2/);
  });
});
