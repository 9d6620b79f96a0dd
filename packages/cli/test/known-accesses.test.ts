import { openDataset } from "@tt-rec/criteo-loader";
import { loadCheckpoint } from "@tt-rec/dlrm";
import { Runtime } from "@tt-rec/tensor";
import { nodeDirectory } from "@tt-rec/tensor/node";
import test from "ava";
import { inFolder, ttRec } from "./support.ts";

const SETTINGS =
  "--embedding-dim 4 --bottom-mlp 4 --top-mlp 1 --optimizer sgd --learning-rate 0.1 --tt-tables 1 --tt-ranks 2 --batch-size 2 --steps 2";

test("a static cache holds the rows accessed most in all training rows after its first step, whatever came in it", async (t) => {
  await inFolder(async (path) => {
    for (const args of [
      ["generate", path("log.tsv.gz"), "--rows", "3000", "--scale", "0.001"],
      ["prepare", path("log.tsv.gz"), "--out", path("data")],
      ["train", path("data"), "--out", path("run"), "--cache-policy", "static", "--cache-rows", "7", ...SETTINGS.split(" ")],
    ]) {
      const outcome = await ttRec(...args);
      t.is(outcome.code, 0, outcome.stderr);
    }
    const data = await openDataset(nodeDirectory(path("data")));
    const runtime = await Runtime.create();
    const { model } = await loadCheckpoint(runtime, nodeDirectory(path("run")));
    const [{ name, column }] = model.tables.filter(({ cache }) => cache !== undefined);
    const counts = (await data.accessCounts())[column];
    const hottest = [...counts.keys()].sort((a, b) => counts[b] - counts[a] || a - b).slice(0, 7);
    t.true(counts[hottest[6]] > 2);
    const held = [...((await model.state()).get(`table.${name}.cache.ids`)?.data ?? [])];
    t.deepEqual(
      held.sort((a, b) => a - b),
      hottest.sort((a, b) => a - b),
    );
    model.dispose();
    await runtime.close();
  });
});
