// `npm run bench:scale`: a generated log of Criteo Kaggle's cardinalities is prepared at two sizes, each engine in a process
// of its own, in turn within each round; then the data set is read. DuckDB and Python join where they are installed.
import { execFileSync, fork, spawnSync } from "node:child_process";
import { createWriteStream, existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type BenchmarkResult, report, runBenchmark, saveResults } from "@tt-rec/testing";
import { generateLog } from "../../src/index.ts";
import { readTraining } from "./read-training.ts";

const { values } = parseArgs({
  options: {
    sizes: { type: "string", default: "1000000,5000000" },
    threads: { type: "string", default: "2" },
    rounds: { type: "string", default: "3" },
    folder: { type: "string", default: join(tmpdir(), "tt-rec-bench-scale") },
    "python-rows": { type: "string", default: "100000" },
  },
});
const { folder, threads } = values;
const ENGINE = fileURLToPath(new URL("./engine.js", import.meta.url));
// The compiled program lies in dist/; Python's stays with its source.
const PYTHON_ROWS = fileURLToPath(new URL("../../../bench/scale/dlrm_rows.py", import.meta.url));

/** What a child process tells of its run. */
interface Told {
  readonly ms: number;
  readonly cpuMs: number;
  readonly peakBytes: number;
}

const told = new Map<string, Told[]>();

function note(name: string, run: Told): Told {
  told.set(name, [...(told.get(name) ?? []), run]);
  return run;
}

function runEngine(name: string, engine: string, input: string, output: string): Promise<Told> {
  return new Promise((resolve, reject) => {
    const child = fork(ENGINE, [engine, input, output, threads], { execArgv: [] });
    let result: Told | undefined;
    child.on("message", (message) => {
      result = message as Told;
    });
    child.on("exit", (code) =>
      result === undefined ? reject(new Error(`${engine} ended with ${code}`)) : resolve(note(name, result)),
    );
  });
}

async function generated(rows: number): Promise<string> {
  const path = join(folder, `log-${rows}.tsv`);
  if (existsSync(path)) return path;
  process.stderr.write(`generating ${rows} rows\n`);
  await pipeline(Readable.from(generateLog({ rows, seed: 1, scale: 1 })), createWriteStream(`${path}.partial`));
  await rename(`${path}.partial`, path);
  return path;
}

function isInstalled(name: string): boolean {
  try {
    return import.meta.resolve(name) !== "";
  } catch {
    return false;
  }
}

const hasDuckDb = isInstalled("@duckdb/node-api");
const hasPython = spawnSync("python3", ["-c", "import numpy"]).status === 0;
const sizes = values.sizes.split(",").map(Number);
const rounds = Number(values.rounds);
await mkdir(folder, { recursive: true });
const results: BenchmarkResult[] = [];
for (const rows of sizes) {
  const log = await generated(rows);
  const work = { amount: rows / 1e6, unit: "Mrow" };
  const prepared = join(folder, `native-${rows}`);
  const run =
    (engine: string, out: string): (() => Promise<Told>) =>
    () =>
      runEngine(`${engine}/${rows}`, engine, log, join(folder, out));
  results.push(
    ...(await runBenchmark({
      id: `criteo-loader/scale/${rows}`,
      phase: "prepare",
      parameters: { rows, threads: Number(threads) },
      rounds,
      minRoundMs: 1,
      ...(hasDuckDb && { rival: "duckdb-parquet" }),
      cases: [
        { name: "native", engine: "criteo-loader", run: run("native", `native-${rows}`), work, target: 1.5 },
        ...(hasDuckDb
          ? [
              { name: "duckdb-parquet", engine: "duckdb", run: run("duckdb-parquet", "duckdb"), work },
              { name: "duckdb-dictionaries", engine: "duckdb", run: run("duckdb-dictionaries", "duckdb"), work },
            ]
          : []),
      ],
    })),
  );
  results.push(
    ...(await runBenchmark({
      id: `criteo-loader/scale/${rows}`,
      phase: "read",
      parameters: { rows, batchSize: 2048 },
      rounds,
      minRoundMs: 1,
      cases: [
        {
          name: "batches-2048",
          engine: "criteo-loader",
          run: () => readTraining(prepared),
          work: { amount: (rows / 1e6) * (6 / 7), unit: "Mrow" },
        },
      ],
    })),
  );
  await runEngine(`read/${rows}`, "read", prepared, join(folder, "nothing"));
}
if (hasPython) {
  const rows = Number(values["python-rows"]);
  const log = await generated(sizes[0]);
  results.push(
    ...(await runBenchmark({
      id: `criteo-loader/scale/${sizes[0]}`,
      phase: "prepare",
      parameters: { rows },
      rounds,
      minRoundMs: 1,
      cases: [
        {
          name: "python-dlrm-loops",
          engine: "python, our re-implementation",
          run: () => {
            const printed = execFileSync("python3", [PYTHON_ROWS, log, String(rows), join(folder, "rows.npz")], {
              encoding: "utf8",
            });
            return note("python-dlrm-loops", JSON.parse(printed) as Told);
          },
          work: { amount: rows / 1e6, unit: "Mrow" },
        },
      ],
    })),
  );
}
const memory = [...told].map(([name, runs]) => {
  const peak = Math.max(...runs.map(({ peakBytes }) => peakBytes)) / 1e6;
  const cpu = runs.map(({ cpuMs }) => cpuMs).sort((a, b) => a - b)[runs.length >> 1] / 1000;
  const inside = runs.map(({ ms }) => ms).sort((a, b) => a - b)[runs.length >> 1] / 1000;
  return `${name}: peak ${peak.toFixed(0)} MB, ${inside.toFixed(2)} s without the start of the process, ${cpu.toFixed(2)} s of processor time`;
});
process.stdout.write(`${report(results)}\n\n${memory.join("\n")}\n`);
if (!hasDuckDb) process.stdout.write("DuckDB is not installed: npm install --no-save @duckdb/node-api@1.5.6-r.1\n");
await saveResults(results);
await rm(join(folder, "duckdb"), { recursive: true, force: true });
