// The main job, end to end, on data the project makes itself: generate a click log, prepare it, train the
// uncompressed model and a Tensor-Train model with a cache, and compare them in a table and an HTML report.
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const command = fileURLToPath(new URL("../packages/cli/dist/src/main.js", import.meta.url));

/** A small MLP: the demo shows the way, not the speed. */
const MODEL = "--bottom-mlp 64-16 --top-mlp 64-1 --optimizer adagrad --learning-rate 0.02 --evaluate-every 250".split(" ");
const TT = "--tt-tables 7 --tt-ranks 8 --tt-learning-rate 0.02".split(" ");
const CACHE = "--cache-share 0.01 --cache-warmup 200 --cache-refresh 1000".split(" ");

function ttRec(...args) {
  console.log(`\n$ tt-rec ${args.join(" ")}`);
  const { status } = spawnSync(process.execPath, [command, ...args], { cwd: root, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}

const started = performance.now();
rmSync(`${root}/demo`, { recursive: true, force: true });
ttRec("generate", "demo/log.tsv.gz", "--rows", "200000", "--scale", "0.02", "--seed", "1");
ttRec("prepare", "demo/log.tsv.gz", "--out", "demo/data", "--min-frequency", "2");
ttRec("plan", "demo/data", "--ranks", "8,16,32");
ttRec("train", "demo/data", "--out", "demo/dense", "--name", "uncompressed", ...MODEL);
ttRec("train", "demo/data", "--out", "demo/tt", "--name", "TT, R = 8, cached", ...MODEL, ...TT, ...CACHE);
ttRec("compare", "demo/dense", "demo/tt", "--report", "demo/report.html");
console.log(`\nThe demo took ${((performance.now() - started) / 1000).toFixed(0)} s; everything it made is in demo/.`);
