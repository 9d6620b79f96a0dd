import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { cpuUsage, type Usage } from "@tt-rec/testing";
import type { Sample } from "../common/measure.ts";

/** One run of the peers' program. */
export interface PeerRun {
  /** What it measures: an argument of `run.sh`. */
  readonly what: "embbag" | "chain" | "materialize" | "mlp" | "dlrm";
  /** Threads that it may use. */
  readonly threads: 1 | 2;
  /** Which lookups it gets. */
  readonly folder: "plain" | "scattered";
}

/** The fields of a peer's line that tell its measurements apart; those that do not apply are absent. */
export interface PeerLine {
  /** Name of the rival. */
  readonly peer: string;
  /** Part of the job. */
  readonly phase: string;
  /** Ranks. */
  readonly R?: number;
  /** Batch size. */
  readonly B?: number;
  /** Ids a bag. */
  readonly P?: number;
  /** `uniform` or `zipf`. */
  readonly dist?: string;
}

/** What a run of the peers gave. */
export interface PeerOutcome {
  /** Samples by key. */
  readonly samples: ReadonlyMap<string, Sample>;
  /** Why wanted samples are missing, in a line. */
  readonly failure?: string;
}

/** Longest silence of a peer: drawing 5 GB of tables takes a while on a busy machine. */
const SILENCE_MS = 300_000;
/** Milliseconds of a tick of /proc. */
const TICK_MS = 10;

/** What the keys of a run's samples start with. */
export function peerPrefix({ what, threads, folder }: PeerRun): string {
  return `peer/${what}-${folder}-${threads}t/`;
}

/** The key of one measurement. */
export function peerKey(run: PeerRun, { peer, phase, R, B, P, dist }: PeerLine): string {
  const parts = [peer, phase, R && `R${R}`, B && `B${B}`, P && `P${P}`, dist];
  return peerPrefix(run) + parts.filter((part) => part !== undefined).join("/");
}

/** Runs the peers' program until it has printed all that is wanted; a program that cannot run is an outcome, not an error. */
export async function runPeer(
  run: PeerRun,
  options: { readonly peers: string; readonly indices: string; readonly budgetMs: number; readonly wanted: ReadonlySet<string> },
): Promise<PeerOutcome> {
  const script = join(options.peers, "run.sh");
  const samples = new Map<string, Sample>();
  if (!existsSync(script)) return { samples, failure: "the peers' programs are not there: --peers DIR or TT_REC_PEERS" };
  const budget = ["--budget", String(options.budgetMs / 1000)];
  const child = spawn("bash", [script, String(run.threads), options.indices, run.what, ...budget]);
  const stop = (): unknown => child.kill();
  process.once("exit", stop);
  const missing = new Set(options.wanted);
  let [complaint, silent] = ["", false];
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve).once("error", () => resolve(null)));
  const giveUp = (): void => {
    silent = true;
    child.kill("SIGKILL");
  };
  let watch = setTimeout(giveUp, SILENCE_MS);
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaint = (complaint + text).slice(-4000);
  });
  let before = usageWith(child.pid);
  createInterface(child.stdout).on("line", (line) => {
    clearTimeout(watch);
    watch = setTimeout(giveUp, SILENCE_MS);
    const parsed = parse(line);
    if (parsed === undefined) return;
    const after = usageWith(child.pid);
    const key = peerKey(run, parsed);
    samples.set(key, {
      cpu: parsed.cpu,
      wall: parsed.wall,
      cpuPerWall: parsed.cpu / parsed.wall,
      ...othersBetween(before, after),
    });
    before = after;
    missing.delete(key);
    if (missing.size === 0) child.kill();
  });
  const code = await ended;
  clearTimeout(watch);
  process.off("exit", stop);
  if (missing.size === 0) return { samples };
  const last = complaint.trim().split("\n").at(-1) || `it ended with code ${code}, without ${[...missing][0]}`;
  return { samples, failure: silent ? `no line in ${SILENCE_MS / 1000} s` : last };
}

function parse(line: string): (PeerLine & { readonly cpu: number; readonly wall: number }) | undefined {
  try {
    const value = JSON.parse(line);
    return typeof value.cpu === "number" && typeof value.wall === "number" ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Processor clocks in which `ownMs` covers this process and a child, and when they were read. */
function usageWith(pid: number | undefined): Usage & { readonly at: number; readonly known: boolean } {
  const usage = cpuUsage();
  let childMs: number | undefined;
  try {
    // The fields after the name, which is in brackets and may hold spaces; the 12th and 13th are user and system ticks.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    childMs = (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  } catch {
    // Not Linux, or the child has ended: then nothing is known of others.
  }
  return { at: performance.now(), known: childMs !== undefined, allMs: usage.allMs, ownMs: usage.ownMs + (childMs ?? 0) };
}

function othersBetween(before: ReturnType<typeof usageWith>, after: ReturnType<typeof usageWith>): Pick<Sample, "otherCores"> {
  if (!before.known || !after.known) return {};
  const otherMs = after.allMs - before.allMs - (after.ownMs - before.ownMs);
  return { otherCores: Math.max(0, otherMs) / (after.at - before.at) };
}
