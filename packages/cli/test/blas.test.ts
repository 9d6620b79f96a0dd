// A file, and so a process, of its own: nothing here may fork once the library is loaded.
import test from "ava";
import { chooseBlas } from "../src/run/with-runtime.ts";
import { eventsOf, inFolder, ttRec } from "./support.ts";

test("the system's BLAS, where there is one, is part of the engine's name", async (t) => {
  const blas = await chooseBlas("auto");
  await inFolder(async (path) => {
    t.is((await ttRec("generate", path("log.tsv"), "--rows", "500", "--scale", "0.001")).code, 0);
    t.is((await ttRec("prepare", path("log.tsv"), "--out", path("data"))).code, 0);
    const model = ["--bottom-mlp", "8-4", "--top-mlp", "8-1", "--embedding-dim", "4", "--simd", "simd", "--blas", "auto"];
    const outcome = await ttRec("train", path("data"), "--out", path("run"), ...model, "--json");
    t.is(outcome.code, 0, outcome.stderr);
    t.is(eventsOf(outcome)[0].engine, blas === "off" ? "wasm-simd" : `wasm-simd+${blas.name}`);
  });
});
