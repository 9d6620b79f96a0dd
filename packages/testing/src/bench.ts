import { cpuUsage, describeMachine, describeSource, type Machine, type Usage } from "./bench-node.ts";
import { quantile, ratioSummary } from "./statistics.ts";

/** Work in a physical unit: `{ amount: 2 * m * n * k / 1e9, unit: "GFLOP" }` gives results in GFLOP/s. */
export interface Work {
  /** How much one call does. */
  readonly amount: number;
  /** Name of the unit, with its prefix. */
  readonly unit: string;
}

/** One way of doing the job that a benchmark measures. */
export interface BenchmarkCase {
  /** Last part of the result's id, such as `nn` or `vs-chain`. Unique in its benchmark. */
  readonly name: string;
  /** What runs: `reference`, `wasm`, the name of a rival library. */
  readonly engine: string;
  /** Does the job once. What it returns is kept alive, so that no compiler can drop the work. */
  readonly run: () => unknown;
  /** Work of one call, for results as a rate; without it they are ms a call. */
  readonly work?: Work;
  /** The ratio to the rival that is hoped for, higher is better. */
  readonly target?: number;
}

/** What `runBenchmark` measures, and for how long. */
export interface Benchmark {
  /** First part of the ids of all results; stable over time, such as `gemm/128x512x367`. */
  readonly id: string;
  /** The rivals; they run in turn within each round. */
  readonly cases: readonly BenchmarkCase[];
  /** Parameters of the workload, written into each result. */
  readonly parameters?: Readonly<Record<string, string | number | boolean>>;
  /** Part of the job: `forward`, `backward`, `read`. Default `run`. */
  readonly phase?: string;
  /** Name of the case that the others are compared with. */
  readonly rival?: string;
  /** Rounds that count, after one that does not. Default 11. */
  readonly rounds?: number;
  /** Shortest time of a case in a round, in ms; calls are repeated to fill it. Default 50. */
  readonly minRoundMs?: number;
  /** Rounds in which other processes used more cores than this are left out of the ratios; needs rounds of 250 ms or more. Default: all count. */
  readonly maxOtherCores?: number;
  /** The BLAS in use, for the record. Default `off`. */
  readonly blas?: string;
}

/** One measured case, as it is written to a results file. Ratios are higher-is-better. */
export interface BenchmarkResult {
  /** The benchmark's id and the case's name. */
  readonly id: string;
  /** Parameters of the workload. */
  readonly case: Readonly<Record<string, string | number | boolean>>;
  /** What ran. */
  readonly engine: string;
  /** Part of the job. */
  readonly phase: string;
  /** Unit of `median`, `p10` and `p90`: `ms`, or a rate such as `GFLOP/s`. */
  readonly unit: string;
  /** Median over the rounds. */
  readonly median: number;
  /** Tenth percentile over the rounds. */
  readonly p10: number;
  /** Ninetieth percentile over the rounds. */
  readonly p90: number;
  /** Rounds measured. */
  readonly runs: number;
  /** Processor time of this process divided by wall time, median over the rounds: the cores kept busy. */
  readonly cpuPerWall: number;
  /** Cores used by other processes meanwhile, median over the rounds. */
  readonly otherCores: number;
  /** The case compared with. */
  readonly rival?: string;
  /** Time of the rival divided by the time of this case: median of the rounds. */
  readonly ratio?: number;
  /** Smallest ratio of a round. */
  readonly ratioMin?: number;
  /** Largest ratio of a round. */
  readonly ratioMax?: number;
  /** The ratio hoped for. */
  readonly target?: number;
  /** Where it ran. */
  readonly machine: Machine;
  /** What ran: the commit, with `-dirty` where the tree differs from it. */
  readonly commit: string;
  /** When it ran, ISO 8601. */
  readonly date: string;
}

/** One case's part of one round, a call. */
interface Sample {
  readonly ms: number;
  readonly cpuPerWall: number;
  readonly otherCores: number;
}

let sink: unknown;

/**
 * Measures rivals in turn, round by round, so that a machine whose speed drifts treats them alike, and compares them
 * within each round. One round of each case warms up and tells how many calls fill a round.
 */
export async function runBenchmark(benchmark: Benchmark): Promise<BenchmarkResult[]> {
  const { cases, rounds = 11, minRoundMs = 50, maxOtherCores = Number.POSITIVE_INFINITY } = benchmark;
  checkNames(benchmark);
  const calls = new Map<BenchmarkCase, number>();
  for (const entry of cases) calls.set(entry, await callsPerRound(entry, minRoundMs));
  const samples = new Map<BenchmarkCase, Sample[]>(cases.map((entry) => [entry, []]));
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < cases.length; turn++) {
      // Each round begins with another case: who goes first, and after whom, has its price.
      const entry = cases[(round + turn) % cases.length];
      samples.get(entry)?.push(await measure(entry, calls.get(entry) ?? 1));
    }
  }
  const source = { machine: describeMachine(benchmark.blas ?? "off"), commit: describeSource(), date: new Date().toISOString() };
  const rival = samples.get(cases.find(({ name }) => name === benchmark.rival) as BenchmarkCase);
  return cases.map((entry) => {
    const own = samples.get(entry) as Sample[];
    const compared = rival === own ? undefined : rival;
    return { ...summary(benchmark, entry, own), ...comparison(benchmark, entry, own, compared, maxOtherCores), ...source };
  });
}

function checkNames({ id, cases, rival }: Benchmark): void {
  const names = cases.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new RangeError(`benchmark ${id}: two cases are called ${twice}`);
  if (rival !== undefined && !names.includes(rival)) {
    throw new RangeError(`benchmark ${id}: the rival ${rival} is none of the cases ${names.join(", ")}`);
  }
}

async function callsPerRound({ run }: BenchmarkCase, minRoundMs: number): Promise<number> {
  const start = performance.now();
  let calls = 0;
  let fastest = Number.POSITIVE_INFINITY;
  do {
    const before = performance.now();
    await call(run, 1);
    fastest = Math.min(fastest, performance.now() - before);
    calls++;
  } while (performance.now() - start < minRoundMs);
  // Calls shorter than the clock's step are counted over the whole warm-up instead.
  const perCall = fastest > 0.01 ? fastest : (performance.now() - start) / calls;
  return Math.max(1, Math.ceil(minRoundMs / perCall));
}

async function measure({ run }: BenchmarkCase, calls: number): Promise<Sample> {
  const before: Usage = cpuUsage();
  const start = performance.now();
  await call(run, calls);
  const wallMs = performance.now() - start;
  const after: Usage = cpuUsage();
  const ownMs = after.ownMs - before.ownMs;
  const otherMs = Math.max(0, after.allMs - before.allMs - ownMs);
  return { ms: wallMs / calls, cpuPerWall: ownMs / wallMs, otherCores: otherMs / wallMs };
}

/** Awaits only what is a promise, since an await a call would weigh on short synchronous work. */
async function call(run: () => unknown, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    const result = run();
    sink = result instanceof Promise ? await result : result;
  }
  // A comparison that is never true, and that no compiler knows to be.
  if (sink === call) throw new Error("a benchmark returned the benchmark");
}

function summary({ id, parameters = {}, phase = "run" }: Benchmark, { name, engine, work }: BenchmarkCase, samples: Sample[]) {
  const values = samples.map(({ ms }) => (work === undefined ? ms : work.amount / (ms / 1000)));
  return {
    id: `${id}/${name}`,
    case: parameters,
    engine,
    phase,
    unit: work === undefined ? "ms" : `${work.unit}/s`,
    median: quantile(values, 0.5),
    p10: quantile(values, 0.1),
    p90: quantile(values, 0.9),
    runs: samples.length,
    cpuPerWall: quantile(
      samples.map(({ cpuPerWall }) => cpuPerWall),
      0.5,
    ),
    otherCores: quantile(
      samples.map(({ otherCores }) => otherCores),
      0.5,
    ),
  };
}

function comparison(
  { rival: name }: Benchmark,
  { target }: BenchmarkCase,
  own: Sample[],
  rival: Sample[] | undefined,
  maxOtherCores: number,
): Pick<BenchmarkResult, "rival" | "ratio" | "ratioMin" | "ratioMax" | "target"> {
  if (name === undefined || rival === undefined) return {};
  const ratios = own
    .map((sample, round) => ({ sample, other: rival[round] }))
    .filter(({ sample, other }) => Math.max(sample.otherCores, other.otherCores) <= maxOtherCores)
    .map(({ sample, other }) => other.ms / sample.ms);
  return { rival: name, ...ratioSummary(ratios), ...(target === undefined ? {} : { target }) };
}
