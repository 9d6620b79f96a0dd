import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import {
  createRng,
  type Directory,
  type HostTensor,
  memoryDirectory,
  type NamedTensors,
  sealJson,
  sha256,
  writeSafetensors,
} from "@tt-rec/tensor";
import { nodeDirectory } from "@tt-rec/tensor/node";
import { copyState, rejectsCode } from "@tt-rec/testing";
import test, { type ExecutionContext } from "ava";
import { CHECKPOINT_FORMAT } from "../src/checkpoint/manifest.ts";
import {
  type CheckpointManifest,
  Dlrm,
  type DlrmConfig,
  loadCheckpoint,
  readManifest,
  saveCheckpoint,
  type TrainingConfig,
  type TrainingProgress,
  train,
} from "../src/index.ts";
import { bitsOf, EMBEDDINGS, OPTIMIZERS, randomBatch, runtime, smallConfig } from "./support.ts";
import { syntheticSource } from "./synthetic-source.ts";

const KILLS = process.env.TT_REC_LONG ? 200 : 20;
/** Flipped bits of the weights: all of them, or some. */
const FLIPS = process.env.TT_REC_LONG ? Number.POSITIVE_INFINITY : 200;

const CONFIG: DlrmConfig = smallConfig(EMBEDDINGS.cached);
/** 37 rows in batches of 8: five steps an epoch, with refreshes of the cache after steps 2, 3, 6 and 9. */
const RUN: TrainingConfig = { epochs: 2, batchSize: 8, optimizer: OPTIMIZERS.adagrad, shuffle: true, seed: 3 };
const PROGRESS: TrainingProgress = { step: 4, epoch: 0, batch: 4 };

async function trainedModel(seed: number, config = CONFIG): Promise<Dlrm> {
  const model = new Dlrm(runtime, config, createRng(seed));
  for (let i = 0; i < 4; i++) await model.train(randomBatch(config, 7, 10 * seed + i), RUN.optimizer);
  return model;
}

async function savedDirectory(): Promise<Directory> {
  const directory = memoryDirectory();
  await saveCheckpoint(directory, await trainedModel(1), RUN, PROGRESS);
  return directory;
}

async function bytesOf(directory: Directory, name: string): Promise<Uint8Array> {
  const file = await directory.read(name);
  return file.slice(0, file.byteLength);
}

test.serial("a checkpoint keeps every bit of the model, and says what it belongs to", async (t) => {
  for (const kind of ["dense", "tt", "cached", "cachedInt8"] as const) {
    const directory = memoryDirectory();
    const model = await trainedModel(2, smallConfig(EMBEDDINGS[kind]));
    await saveCheckpoint(directory, model, RUN, PROGRESS);
    t.deepEqual(await directory.list(), ["checkpoint.json", "weights-1.safetensors"]);
    const loaded = await loadCheckpoint(runtime, directory);
    t.is(bitsOf(await loaded.model.state()), bitsOf(await model.state()));
    const { weights, ...rest } = loaded.manifest;
    t.deepEqual(rest, { config: model.config, training: RUN, progress: PROGRESS, engine: runtime.kernels.engine, earlier: [] });
    t.is(weights.sha256, await sha256(await bytesOf(directory, weights.name)));
    t.deepEqual(await readManifest(directory), loaded.manifest);
  }
});

test.serial("a model that was never trained is saved and loaded too", async (t) => {
  const directory = memoryDirectory();
  const model = new Dlrm(runtime, CONFIG, createRng(1));
  await saveCheckpoint(directory, model, RUN, { step: 0, epoch: 0, batch: 0 });
  t.is(bitsOf(await (await loadCheckpoint(runtime, directory)).model.state()), bitsOf(await model.state()));
});

test.serial("saving again replaces the checkpoint and removes the old weights", async (t) => {
  const directory = await savedDirectory();
  const model = await trainedModel(2);
  await saveCheckpoint(directory, model, RUN, { step: 5, epoch: 1, batch: 0 });
  t.deepEqual(await directory.list(), ["checkpoint.json", "weights-2.safetensors"]);
  const loaded = await loadCheckpoint(runtime, directory);
  t.is(loaded.manifest.progress.step, 5);
  t.is(bitsOf(await loaded.model.state()), bitsOf(await model.state()));
});

test.serial("other files of the folder stay", async (t) => {
  const directory = memoryDirectory();
  for (const name of ["notes.txt", "weights-x.safetensors", "weights-1.safetensors.bak"]) {
    await directory.commit(name, new Uint8Array(3));
  }
  const model = await trainedModel(1);
  for (let i = 0; i < 2; i++) await saveCheckpoint(directory, model, RUN, PROGRESS);
  t.deepEqual(await directory.list(), [
    "checkpoint.json",
    "notes.txt",
    "weights-1.safetensors.bak",
    "weights-2.safetensors",
    "weights-x.safetensors",
  ]);
});

for (const kind of ["dense", "tt", "cached", "cachedInt8"] as const) {
  for (const rule of ["sgd", "adagrad"] as const) {
    test.serial(`${kind}, ${rule}: a run resumed after any of its steps ends in the bits of the uninterrupted run`, async (t) => {
      const config = smallConfig(EMBEDDINGS[kind]);
      const run = { ...RUN, optimizer: OPTIMIZERS[rule] };
      const source = syntheticSource(config, 37);
      const directories: Directory[] = [];
      const losses: number[] = [];
      const whole = new Dlrm(runtime, config, createRng(1));
      for await (const event of train(whole, source, run, { split: "validation" })) {
        if (event.kind !== "step") continue;
        losses.push(event.loss);
        const directory = memoryDirectory();
        await saveCheckpoint(directory, whole, run, event.progress);
        directories.push(directory);
      }
      t.is(directories.length, 10);
      for (const [i, directory] of directories.entries()) {
        const { model, manifest } = await loadCheckpoint(runtime, directory);
        const rest: number[] = [];
        // The resumed run knows nothing but the checkpoint and the data.
        for await (const event of train(model, source, manifest.training, { split: "validation" }, manifest.progress)) {
          if (event.kind === "step") rest.push(event.loss);
        }
        t.deepEqual(rest, losses.slice(i + 1), `losses after step ${i + 1}`);
        t.is(bitsOf(await model.state()), bitsOf(await whole.state()), `bits after step ${i + 1}`);
        model.dispose();
      }
    });
  }
}

test.serial("every flipped bit of checkpoint.json is refused", async (t) => {
  const directory = await savedDirectory();
  const bytes = await bytesOf(directory, "checkpoint.json");
  const text = new TextDecoder().decode(bytes);
  t.true(text.includes("1e-8"), "a number with an exponent, whose E may be upper-case in JSON");
  let accepted = 0;
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const damaged = bytes.slice();
    damaged[bit >> 3] ^= 1 << (bit & 7);
    accepted += await acceptsManifest(t, fixedFile(damaged), `bit ${bit}`);
  }
  t.is(accepted, 0);
});

test.serial("every truncation of checkpoint.json, and other text in its place, is refused", async (t) => {
  const directory = await savedDirectory();
  const bytes = await bytesOf(directory, "checkpoint.json");
  for (let length = 0; length < bytes.length; length++) {
    t.is(await acceptsManifest(t, fixedFile(bytes.subarray(0, length)), `length ${length}`), 0);
  }
  const text = new TextDecoder().decode(bytes);
  const minified = JSON.stringify(JSON.parse(text));
  for (const other of [
    "null",
    "[]",
    "{}",
    "7",
    '"x"',
    `\uFEFF${text}`,
    `${text}\n`,
    minified,
    text.replace('"seed": 3', '"seed": 4'),
  ]) {
    t.is(await acceptsManifest(t, fixedFile(new TextEncoder().encode(other)), other), 0);
  }
});

/** 1 if the manifest was accepted; fails the test on any other error than the two that are promised. */
async function acceptsManifest(t: ExecutionContext, directory: Directory, what: string): Promise<number> {
  try {
    await readManifest(directory);
    t.log(`${what} was accepted`);
    return 1;
  } catch (error) {
    const { code } = error as { code?: string };
    if (code !== "E_CORRUPT" && code !== "E_VERSION") t.fail(`${what}: ${error}`);
    return 0;
  }
}

/** A directory whose every file has these bytes. */
function fixedFile(bytes: Uint8Array): Directory {
  const byteLength = bytes.length;
  return { ...memoryDirectory(), read: async () => ({ byteLength, slice: async (start, end) => bytes.slice(start, end) }) };
}

test.serial("a later version is E_VERSION, another format E_CORRUPT, no checkpoint E_NOT_FOUND", async (t) => {
  const directory = await savedDirectory();
  const text = new TextDecoder().decode(await bytesOf(directory, "checkpoint.json"));
  const replaced = (a: string, b: string): Directory => fixedFile(new TextEncoder().encode(text.replace(a, b)));
  await rejectsCode(t, "E_VERSION", loadCheckpoint(runtime, replaced('"version": 2', '"version": 3')), /version 3.*version 2/);
  await rejectsCode(t, "E_CORRUPT", loadCheckpoint(runtime, replaced("tt-rec-checkpoint", "other")), /"other"/);
  await rejectsCode(t, "E_NOT_FOUND", loadCheckpoint(runtime, memoryDirectory()), /checkpoint\.json/);
});

test.serial("flipped bits, truncations and surplus bytes of the weights are E_CORRUPT", async (t) => {
  const directory = await savedDirectory();
  const name = "weights-1.safetensors";
  const bytes = await bytesOf(directory, name);
  const rng = createRng(5);
  const bits = bytes.length * 8;
  for (let i = 0; i < Math.min(FLIPS, bits); i++) {
    const damaged = bytes.slice();
    const bit = FLIPS < bits ? Math.floor(rng.uniform() * bits) : i;
    damaged[bit >> 3] ^= 1 << (bit & 7);
    await directory.commit(name, damaged);
    await rejectsCode(t, "E_CORRUPT", loadCheckpoint(runtime, directory), /weights-1\.safetensors is damaged/);
  }
  for (const length of [0, 1, 8, 9, bytes.length >> 1, bytes.length - 1]) {
    await directory.commit(name, bytes.subarray(0, length));
    await rejectsCode(t, "E_CORRUPT", loadCheckpoint(runtime, directory));
  }
  await directory.commit(name, Uint8Array.of(...bytes, 0));
  await rejectsCode(t, "E_CORRUPT", loadCheckpoint(runtime, directory));
  await directory.commit(name, bytes);
  await t.notThrowsAsync(loadCheckpoint(runtime, directory));
  await directory.remove(name);
  await rejectsCode(t, "E_CORRUPT", loadCheckpoint(runtime, directory), /names weights-1\.safetensors, which is missing/);
});

test.serial("weights that are whole but another model's are E_MISMATCH", async (t) => {
  const state = copyState(await (await trainedModel(1)).state());
  const without = (name: string): NamedTensors => new Map([...state].filter(([key]) => key !== name));
  const one: HostTensor = { dtype: "F32", shape: [1], data: new Float32Array(1) };
  const others: NamedTensors[] = [
    new Map(),
    without("top.1.bias"),
    without("table.large.core.0"),
    without("table.large.counter.ids"),
    without("table.large.cache.step"),
    new Map([...state, ["top.1.bias", { ...one, shape: [1, 1] }]]),
    new Map([...state, ["top.9.bias", one]]),
    new Map([...state, ["table.large.cache.ids", { dtype: "U32", shape: [1], data: Uint32Array.of(29) }]]),
    await (await trainedModel(1, smallConfig(EMBEDDINGS.tt))).state(),
    await (await trainedModel(1, { ...CONFIG, topMlp: [13, 1] })).state(),
  ];
  for (const other of others) {
    const directory = memoryDirectory();
    const weights = await directory.commit("weights-1.safetensors", writeSafetensors(other));
    const manifest: CheckpointManifest = {
      config: CONFIG,
      training: RUN,
      progress: PROGRESS,
      engine: "reference",
      weights,
      earlier: [],
    };
    await directory.commit("checkpoint.json", await sealJson(CHECKPOINT_FORMAT, manifest));
    await rejectsCode(t, "E_MISMATCH", loadCheckpoint(runtime, directory));
  }
});

/** Fails the N-th call of `commit` or `remove`, before or after it took effect. */
function failing(inner: Directory, at: number, when: "before" | "after"): Directory & { readonly calls: () => number } {
  let calls = 0;
  const guard = async <T>(body: () => Promise<T>): Promise<T> => {
    const due = ++calls === at;
    if (due && when === "before") throw new Error("no space");
    const result = await body();
    if (due) throw new Error("power cut");
    return result;
  };
  return {
    ...inner,
    calls: () => calls,
    commit: (name, content) => guard(() => inner.commit(name, content)),
    remove: (name) => guard(() => inner.remove(name)),
  };
}

test.serial("whichever write fails, before or after it took effect, the old or the new checkpoint is there", async (t) => {
  const [old, next] = [await trainedModel(1), await trainedModel(2)];
  const bits = { old: bitsOf(await old.state()), next: bitsOf(await next.state()) };
  for (const when of ["before", "after"] as const) {
    const seen: string[] = [];
    for (let at = 1; ; at++) {
      const directory = memoryDirectory();
      await saveCheckpoint(directory, old, RUN, { step: 1, epoch: 0, batch: 1 });
      // Weights that an earlier crash left behind.
      await directory.commit("weights-7.safetensors", new Uint8Array(5));
      const broken = failing(directory, at, when);
      const failed = await saveCheckpoint(broken, next, RUN, { step: 2, epoch: 0, batch: 2 }).then(
        () => false,
        () => true,
      );
      const { model, manifest } = await loadCheckpoint(runtime, directory);
      const found = bitsOf(await model.state()) === bits.next ? "new" : "old";
      t.is(bitsOf(await model.state()), found === "new" ? bits.next : bits.old);
      t.is(manifest.progress.step, found === "new" ? 2 : 1);
      seen.push(found);
      await saveCheckpoint(directory, next, RUN, { step: 3, epoch: 0, batch: 3 });
      t.is((await directory.list()).length, 2, "the next save cleans up");
      t.is((await loadCheckpoint(runtime, directory)).manifest.progress.step, 3);
      if (!failed) break;
    }
    // Weights, manifest, two removals, and the save that met no failure.
    t.deepEqual(seen, when === "before" ? ["old", "old", "new", "new", "new"] : ["old", "new", "new", "new", "new"]);
  }
});

/** Starts the program on a folder, kills it at some moment after its first save, and returns the last step it reported. */
async function saveUntilKilled(folder: string, milliseconds: number): Promise<number> {
  const program = fileURLToPath(new URL("save-forever.js", import.meta.url));
  const child = spawn(process.execPath, [program, folder], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.on("data", (bytes: Buffer) => {
    output += bytes.toString();
  });
  const closed = once(child, "close");
  await Promise.race([once(child.stdout, "data"), closed]);
  await setTimeout(milliseconds);
  child.kill("SIGKILL");
  await closed;
  return Number(output.trimEnd().split("\n").at(-1));
}

test.serial(
  `killed ${KILLS} times while saving, a checkpoint always loads, whole and no older than the last one reported`,
  async (t) => {
    const root = await mkdtemp(join(tmpdir(), "tt-rec-checkpoint-"));
    t.teardown(() => rm(root, { recursive: true, force: true }));
    const rng = createRng(11);
    const folders = ["a", "b", "c", "d"].map((name) => join(root, name));
    const leftovers: number[] = [];
    // Side by side, because most of the time is the start of the processes.
    await Promise.all(
      folders.map(async (folder) => {
        const directory = nodeDirectory(folder);
        for (let kill = 0; kill < KILLS / folders.length; kill++) {
          const reported = await saveUntilKilled(folder, 40 * rng.uniform());
          const manifest = await readManifest(directory);
          const { step } = manifest.progress;
          t.true(step === reported || step === reported + 1, `step ${step}, reported ${reported}`);
          const state = await (await loadCheckpoint(runtime, directory)).model.state();
          t.is(state.get("top.1.bias")?.data[0], step);
          leftovers.push((await directory.list()).length - 2);
        }
      }),
    );
    t.log(`${leftovers.filter((files) => files > 0).length} of ${KILLS} kills left files behind`);
    for (const folder of folders) {
      await saveCheckpoint(nodeDirectory(folder), await trainedModel(1), RUN, PROGRESS);
      t.is((await nodeDirectory(folder).list()).length, 2);
    }
  },
);

test.serial("the latest models and the best are kept; others are removed, and each loads", async (t) => {
  const directory = memoryDirectory();
  let previous: CheckpointManifest | undefined;
  const bits = new Map<number, string>();
  const model = await trainedModel(1);
  for (let step = 1; step <= 6; step++) {
    await model.train(randomBatch(CONFIG, 7, step), RUN.optimizer);
    bits.set(step, bitsOf(await model.state()));
    const progress = { step, epoch: 0, batch: step };
    previous = await saveCheckpoint(directory, model, RUN, progress, {
      ...(previous && { previous }),
      ...{ keep: 2, isBest: step === 2, settings: { lr: 1 } },
    });
  }
  t.deepEqual(
    [previous?.earlier.map(({ progress }) => progress.step), previous?.best?.progress.step, previous?.progress.step],
    [[5], 2, 6],
  );
  t.is((await directory.list()).length, 4);
  const [latest, best] = [await loadCheckpoint(runtime, directory), await loadCheckpoint(runtime, directory, { which: "best" })];
  t.is(bitsOf(await latest.model.state()), bits.get(6) ?? "");
  t.is(bitsOf(await best.model.state()), bits.get(2) ?? "");
  t.is(best.saved.progress.step, 2);
  t.deepEqual(latest.manifest.settings, { lr: 1 });

  // The same step again, because its evaluation was the best: only the manifest is new.
  const again = await saveCheckpoint(
    directory,
    model,
    RUN,
    { step: 6, epoch: 1, batch: 0 },
    {
      ...(previous && { previous }),
      ...{ keep: 2, isBest: true },
    },
  );
  t.deepEqual([again.best?.weights, again.weights.name, again.earlier.length], [previous?.weights, previous?.weights.name, 1]);
  t.is((await directory.list()).length, 3);
  // A new run in the folder knows nothing of the old one.
  await saveCheckpoint(directory, model, RUN, PROGRESS);
  t.is((await directory.list()).length, 2);
  t.is((await loadCheckpoint(runtime, directory, { which: "best" })).saved.progress.step, PROGRESS.step);
});
