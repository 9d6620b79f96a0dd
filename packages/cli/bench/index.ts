import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BenchmarkResult, report, runBenchmark, saveResults } from "@tt-rec/testing";

const ROWS = 20_000;
const MODEL =
  "--bottom-mlp 64-16 --top-mlp 64-1 --optimizer adagrad --learning-rate 0.02 --tt-learning-rate 0.02 --replace".split(" ");
const TT = "--tt-tables 7 --tt-ranks 8".split(" ");
const CACHE = "--cache-share 0.01 --cache-warmup 30 --cache-refresh 60".split(" ");

const main = fileURLToPath(new URL("../src/main.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "tt-rec-bench-"));
const path = (name: string): string => join(folder, name);

/** Runs a command as a user does: a new process. */
function node(...args: string[]): void {
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${args.join(" ")}: ${stderr}`);
}

const results: BenchmarkResult[] = [];
try {
  const log = path("log.tsv.gz");
  node(main, "generate", log, "--rows", String(ROWS));
  node(main, "prepare", log, "--out", path("data"));
  results.push(
    ...(await runBenchmark({
      id: "tt-rec/start",
      phase: "start",
      rival: "node",
      rounds: 5,
      cases: [
        { name: "plan", engine: "tt-rec plan --preset kaggle", run: () => node(main, "plan", "--preset", "kaggle") },
        { name: "node", engine: "node -e 0", run: () => node("-e", "0") },
      ],
    })),
    ...(await runBenchmark({
      id: "tt-rec/data",
      phase: "data",
      parameters: { rows: ROWS },
      rounds: 3,
      cases: [
        {
          name: "generate",
          engine: "tt-rec generate",
          work: { amount: ROWS / 1e3, unit: "krow" },
          run: () => node(main, "generate", log, "--rows", String(ROWS)),
        },
        {
          name: "prepare",
          engine: "tt-rec prepare",
          work: { amount: ROWS / 1e3, unit: "krow" },
          run: () => node(main, "prepare", log, "--out", path("copy"), "--replace"),
        },
      ],
    })),
    ...(await runBenchmark({
      id: "tt-rec/train",
      phase: "train",
      parameters: { rows: ROWS, batchSize: 128, model: MODEL.join(" ") },
      rival: "uncompressed",
      rounds: 3,
      cases: [
        ["uncompressed", []],
        ["tt", TT],
        ["tt-cached", [...TT, ...CACHE]],
      ].map(([name, flags]) => ({
        name: String(name),
        engine: "tt-rec train",
        work: { amount: (ROWS * 6) / 7 / 1e3, unit: "krow" },
        run: () => node(main, "train", path("data"), "--out", path(String(name)), ...MODEL, ...flags),
      })),
    })),
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}

console.log(report(results));
saveResults(results);
