import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { type BenchmarkResult, quantile, ratioSummary } from "@tt-rec/testing";

/** What a rival in Python is compared with. */
export interface PythonRival {
  /** Id of the results. */
  readonly id: string;
  /** Name of the rival. */
  readonly name: string;
  /** Arguments of bench/rivals.py. */
  readonly args: readonly string[];
  /** Parameters of the workload. */
  readonly parameters: BenchmarkResult["case"];
  /** Does the job once. */
  readonly run: () => unknown;
}

const ROUNDS = 3;

/**
 * Compares with a program that measures itself, in turn with our own calls. One thread for numpy, as for us. Nothing where
 * Python or a package is missing.
 */
export function againstPython(rival: PythonRival, like: BenchmarkResult): BenchmarkResult[] {
  const { id, name, args, parameters, run } = rival;
  const [ours, theirs]: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    const other = spawnSync("/usr/bin/python3", [join("bench", "rivals.py"), ...args], {
      env: { ...process.env, OPENBLAS_NUM_THREADS: "1" },
      encoding: "utf8",
    });
    if (other.error !== undefined || other.status !== 0) return [];
    theirs.push(Number(other.stdout));
    const start = performance.now();
    let calls = 0;
    do {
      run();
      calls++;
    } while (performance.now() - start < 200);
    ours.push((performance.now() - start) / calls);
  }
  const { rival: _, ratio: __, ratioMin: ___, ratioMax: ____, target: _____, ...rest } = like;
  const result = (own: string, engine: string, values: number[]): BenchmarkResult => ({
    ...rest,
    id: `${id}/${own}`,
    case: parameters,
    engine,
    unit: "ms",
    median: quantile(values, 0.5),
    p10: quantile(values, 0.1),
    p90: quantile(values, 0.9),
    runs: ROUNDS,
  });
  const ratios = ratioSummary(theirs.map((ms, round) => ms / ours[round]));
  return [{ ...result("tt-math", "tt-math", ours), rival: name, ...ratios }, result(name, name, theirs)];
}
