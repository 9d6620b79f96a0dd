import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRng, type Directory, memoryDirectory, readBytes, readSafetensors, writeSafetensors } from "@tt-rec/tensor";
import { nodeDirectory } from "@tt-rec/tensor/node";
import { allClose, copyState, rejectsCode } from "@tt-rec/testing";
import test, { type ExecutionContext } from "ava";
import { type Batch, Dlrm, openModel, readModel, saveCheckpoint, writeModel } from "../src/index.ts";
import { EMBEDDINGS, OPTIMIZERS, randomBatch, runtime, smallConfig } from "./support.ts";

const KINDS = ["dense", "tt", "cached", "cachedInt8"] as const;

async function trained(kind: (typeof KINDS)[number]): Promise<Dlrm> {
  const config = smallConfig(EMBEDDINGS[kind]);
  const model = new Dlrm(runtime, config, createRng(3));
  for (let i = 0; i < 5; i++) await model.train(randomBatch(config, 7, i), OPTIMIZERS.adagrad);
  return model;
}

async function exported(
  model: Dlrm,
  storage?: Parameters<typeof writeModel>[1],
  directory = memoryDirectory(),
): Promise<Directory> {
  await directory.commit("model.safetensors", await writeModel(model, storage));
  return directory;
}

/** The logits of a batch by numpy; undefined where there is none. */
function scoreByNumpy(folder: string, batch: Batch): number[] | undefined {
  if (spawnSync("python3", ["-c", "import numpy"]).status !== 0) return undefined;
  const plain = (_: string, value: unknown): unknown => (ArrayBuffer.isView(value) ? Array.from(value as Float32Array) : value);
  writeFileSync(join(folder, "batch.json"), JSON.stringify(batch, plain));
  const script = new URL("../../test/score_model.py", import.meta.url).pathname;
  const { stdout, stderr } = spawnSync("python3", [script, join(folder, "model.safetensors"), join(folder, "batch.json")]);
  if (stderr.length > 0) throw new Error(String(stderr));
  return JSON.parse(String(stdout)) as number[];
}

for (const kind of KINDS) {
  test.serial(`${kind}: an exported model has no training state and scores to the bit`, async (t) => {
    const model = await trained(kind);
    const directory = await exported(model);
    const { tensors } = await readSafetensors(await directory.read("model.safetensors"));
    t.deepEqual(
      [...tensors.keys()].filter((name) => /adagrad|counter/.test(name)),
      [],
    );
    const loaded = await readModel(runtime, await directory.read("model.safetensors"));
    const batch = randomBatch(model.config, 31, 9);
    t.deepEqual(await loaded.score(batch), await model.score(batch));
    t.deepEqual(loaded.config, model.config);
    // It can learn on, from new optimizer state.
    await loaded.train(batch, OPTIMIZERS.adagrad);
  });

  for (const storage of ["float32", "float16", "int8"] as const) {
    test.serial(`${kind}, ${storage}: numpy scores an exported model as the library does`, async (t) => {
      const folder = mkdtempSync(join(tmpdir(), "tt-rec-export-"));
      t.teardown(() => rmSync(folder, { recursive: true, force: true }));
      const model = await trained(kind);
      await exported(model, storage, nodeDirectory(folder));
      const batch = randomBatch(model.config, 31, 9);
      const logits = scoreByNumpy(folder, batch);
      if (logits === undefined) {
        t.log("skipped: there is no python3 with numpy");
        t.pass();
        return;
      }
      const scorer = await openModel(nodeDirectory(folder), { file: "model.safetensors", runtime: { threads: 1 } });
      const own = await scorer.score(batch);
      await scorer.close();
      allClose(t, own, logits, 1e-5);
      // Rounded cores are near to those of the model, and not the same.
      const exact = await model.score(batch);
      const apart = Math.max(...own.map((value, i) => Math.abs(value - exact[i])));
      t.is(apart > 0, kind !== "dense" && storage !== "float32", String(apart));
      t.true(apart < 0.1, String(apart));
    });
  }
}

test.serial("openModel opens the best model of a checkpoint", async (t) => {
  const directory = memoryDirectory();
  const model = await trained("cached");
  const batch = randomBatch(model.config, 13, 2);
  const run = { epochs: 1, batchSize: 7, optimizer: OPTIMIZERS.adagrad, shuffle: false, seed: 1 };
  const best = await model.score(batch);
  const previous = await saveCheckpoint(directory, model, run, { step: 5, epoch: 0, batch: 5 }, { isBest: true });
  await model.train(batch, OPTIMIZERS.adagrad);
  await saveCheckpoint(directory, model, run, { step: 6, epoch: 0, batch: 6 }, { previous });
  const scorer = await openModel(directory, { runtime: { threads: 1 } });
  t.deepEqual(await scorer.score(batch), best);
  t.true((await scorer.predict(batch)).every((p) => p > 0 && p < 1));
  await scorer.close();
  t.throws(() => scorer.model.tables[0].bag.plan(batch.bags[0], { training: false }), { code: "E_DISPOSED" });
});

test.serial("files that are no model are refused by kind", async (t: ExecutionContext) => {
  const model = await trained("cached");
  const directory = await exported(model, "int8");
  const { tensors, metadata } = await readSafetensors(await directory.read("model.safetensors"));
  const reads = async (change: (state: Map<string, unknown>) => void, meta: Record<string, string> = {}): Promise<Dlrm> => {
    const state = copyState(tensors);
    change(state as Map<string, unknown>);
    const file = memoryDirectory();
    await file.commit("m", writeSafetensors(state, new Map([...metadata, ...Object.entries(meta)])));
    return readModel(runtime, await file.read("m"));
  };
  (await reads(() => undefined)).dispose();
  await rejectsCode(
    t,
    "E_MISMATCH",
    reads((state) => state.delete("top.0.weight")),
    /no tensor "top.0.weight"/,
  );
  await rejectsCode(
    t,
    "E_MISMATCH",
    reads((state) => state.delete("table.large.scale.1")),
    /scales of "table.large.core.1"/,
  );
  await rejectsCode(
    t,
    "E_MISMATCH",
    reads((state) => state.set("other", state.get("top.0.bias"))),
    /no tensor "other"/,
  );
  await rejectsCode(
    t,
    "E_MISMATCH",
    reads(() => undefined, { format: "x" }),
    /not tt-rec-model/,
  );
  await rejectsCode(
    t,
    "E_VERSION",
    reads(() => undefined, { version: "2" }),
    /version 2/,
  );
  await rejectsCode(
    t,
    "E_MISMATCH",
    reads(() => undefined, { config: "{" }),
    /no JSON/,
  );
  await rejectsCode(t, "E_CORRUPT", readModel(runtime, readBytes(new Uint8Array(20))));
});
