import { execFileSync } from "node:child_process";
import { appendFile } from "node:fs/promises";
import { availableParallelism, cpus } from "node:os";

/** Where a benchmark ran. */
export interface Machine {
  /** Model of the processor. */
  readonly cpu: string;
  /** Cores that the process may use. */
  readonly cores: number;
  /** Version of Node. */
  readonly node: string;
  /** The widest WebAssembly SIMD that runs: `relaxed`, `simd` or `none`. */
  readonly simd: string;
  /** The BLAS in use, or `off`. */
  readonly blas: string;
}

/** Processor time used since some moment in the past, in ms. */
export interface Usage {
  /** By this process, all threads. */
  readonly ownMs: number;
  /** By all processes of the machine. */
  readonly allMs: number;
}

/** A WebAssembly module with one function of type `() -> ()`, up to its code. */
const MODULE = [0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0];
/** `v128.const 0`. */
const ZERO_VECTOR = [253, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

const { validate } = (globalThis as unknown as { WebAssembly: { validate(bytes: Uint8Array): boolean } }).WebAssembly;

/** Reads the processor clocks. Those of the machine tick every 10 ms or so: they say nothing of shorter spans. */
export function cpuUsage(): Usage {
  const { user, system } = process.cpuUsage();
  let allMs = 0;
  for (const { times } of cpus()) allMs += times.user + times.nice + times.sys + times.irq;
  return { ownMs: (user + system) / 1000, allMs };
}

/** Describes this machine for a result. */
export function describeMachine(blas: string): Machine {
  // i32x4.relaxed_trunc_f32x4_s and v128.not.
  const simd = runs([253, 129, 2]) ? "relaxed" : runs([253, 77]) ? "simd" : "none";
  return { cpu: cpus()[0]?.model.trim() ?? "unknown", cores: availableParallelism(), node: process.version, simd, blas };
}

/**
 * The commit that is checked out here, with `-dirty` where files differ from it, but for results, which a run of several
 * benchmarks writes itself; `unknown` outside git.
 */
export function describeSource(): string {
  const git = (...args: readonly string[]): string =>
    execFileSync("git", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  try {
    const commit = git("rev-parse", "--short", "HEAD");
    const changes = git("status", "--porcelain", "--untracked-files=no", "--", ":/", ":(top,exclude)benchmarks/results");
    return changes === "" ? commit : `${commit}-dirty`;
  } catch {
    return "unknown";
  }
}

/** Appends results as JSON lines to the file that the environment variable BENCH_OUT names; without it does nothing. */
export async function saveResults(results: readonly object[]): Promise<void> {
  const path = process.env.BENCH_OUT;
  if (path === undefined || path === "") return;
  await appendFile(path, results.map((result) => `${JSON.stringify(result)}\n`).join(""));
}

/** Tells whether a unary vector instruction is known here. */
function runs(instruction: readonly number[]): boolean {
  const body = [0, ...ZERO_VECTOR, ...instruction, 26, 11];
  return validate(new Uint8Array([...MODULE, 10, body.length + 2, 1, body.length, ...body]));
}
