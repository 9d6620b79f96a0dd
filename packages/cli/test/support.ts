import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { runCommand } from "../src/index.ts";

/** What a command printed, and how it ended. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Commands that take `--blas`. */
const COMPUTING = ["train", "evaluate", "predict", "compress"];

/**
 * Runs the command in this process and collects its output; without a BLAS, if none is asked for, since OpenBLAS waits for its threads
 * before a process forks, sometimes for ever, and tests do fork.
 */
export async function ttRec(...given: string[]): Promise<Outcome> {
  const args = COMPUTING.includes(given[0]) && !given.includes("--blas") ? [...given, "--blas", "off"] : given;
  const collect = (pieces: string[]): Writable =>
    new Writable({
      write(chunk, _encoding, done) {
        pieces.push(String(chunk));
        done();
      },
    });
  const [out, error]: [string[], string[]] = [[], []];
  const code = await runCommand(args, { stdout: collect(out), stderr: collect(error) });
  return { code, stdout: out.join(""), stderr: error.join("") };
}

/** Runs the command as a process of its own, with options for Node before it. */
export async function ttRecProcess(args: readonly string[], nodeArgs: readonly string[] = []): Promise<Outcome> {
  const child = spawn(process.execPath, [...nodeArgs, "dist/src/main.js", ...args]);
  const [out, error]: [string[], string[]] = [[], []];
  child.stdout.on("data", (chunk) => out.push(String(chunk)));
  child.stderr.on("data", (chunk) => error.push(String(chunk)));
  const [code] = (await once(child, "close")) as [number];
  return { code, stdout: out.join(""), stderr: error.join("") };
}

/** The bytes of the weights of a run. */
export function weightsIn(folder: string): Buffer {
  const [name] = readdirSync(folder).filter((file) => file.startsWith("weights-"));
  return readFileSync(join(folder, name));
}

/** The events of a command that ran with --json. */
export function eventsOf({ stdout }: Outcome): Record<string, unknown>[] {
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** Runs a test in a folder of its own, which is removed afterwards. */
export async function inFolder<T>(use: (path: (name: string) => string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "tt-rec-cli-"));
  try {
    return await use((name) => join(folder, name));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
