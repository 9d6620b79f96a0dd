import { isTtError } from "@tt-rec/tensor";
import type { Sample } from "../common/measure.ts";
import type { Context, Group } from "./group.ts";
import { type PeerRun, peerPrefix, runPeer } from "./peers.ts";
import { collectGarbage } from "./process-settings.ts";
import type { Row } from "./row.ts";
import { createSession, type Session } from "./session.ts";

/** All samples of a group. */
export interface Measured {
  /** Samples of each round by key. */
  readonly rounds: readonly ReadonlyMap<string, Sample>[];
  /** Why keys are missing, in a line each. */
  readonly missing: ReadonlyMap<string, string>;
  /** Cases of ours that failed although nothing was missing. */
  readonly failures: readonly string[];
}

interface State {
  readonly context: Context;
  readonly needs: ReadonlySet<string>;
  readonly missing: Map<string, string>;
  readonly failures: string[];
}

/** Measures what some rows of a group need: in each round its peers, then our cases. */
export async function measureGroup(group: Group, rows: readonly Row[], context: Context): Promise<Measured> {
  const needs = new Set(rows.flatMap(({ ours, rival }) => [...ours.needs, ...(rival?.value.needs ?? [])]));
  const state: State = { context, needs, missing: new Map(), failures: [] };
  const session = createSession(context.budgetMs);
  group.open(session, context);
  const rounds: Map<string, Sample>[] = [];
  try {
    for (let round = 1; round <= context.rounds; round++) {
      const samples = new Map<string, Sample>();
      rounds.push(samples);
      const start = performance.now();
      for (const run of group.peers) await runPeerOnce(run, samples, state);
      const between = performance.now();
      // Each round begins at another end: who comes first, and after whom, has its price.
      const keys = session.keys.filter((key) => needs.has(key));
      for (const key of round % 2 === 1 ? keys : keys.reverse()) await runCase(session, key, samples, state);
      const [theirs, own] = [between - start, performance.now() - between].map((ms) => (ms / 1000).toFixed(1));
      console.error(`${group.name}, round ${round} of ${context.rounds}: ${theirs} s peers, ${own} s ours`);
    }
  } finally {
    await session.close();
    collectGarbage();
  }
  return { rounds, missing: state.missing, failures: state.failures };
}

async function runPeerOnce(run: PeerRun, samples: Map<string, Sample>, { context, needs, missing }: State): Promise<void> {
  const prefix = peerPrefix(run);
  const wanted = new Set([...needs].filter((key) => key.startsWith(prefix) && !missing.has(key)));
  if (wanted.size === 0) return;
  const indices = (await context.indices()).folder(run.folder);
  const outcome = await runPeer(run, { peers: context.peers, indices, budgetMs: context.budgetMs, wanted });
  for (const key of wanted) {
    const sample = outcome.samples.get(key);
    if (sample !== undefined) samples.set(key, sample);
    else missing.set(key, outcome.failure ?? "not printed");
  }
}

async function runCase(session: Session, key: string, samples: Map<string, Sample>, state: State): Promise<void> {
  if (state.missing.has(key)) return;
  try {
    samples.set(key, await session.measure(key));
  } catch (error) {
    const reason = (error instanceof Error ? error.message : String(error)).split("\n")[0];
    state.missing.set(key, reason);
    // A library that is not installed is a row less; anything else is a fault of ours.
    if (!(isTtError(error) && error.code === "E_NOT_FOUND")) state.failures.push(`${key}: ${reason}`);
  }
}
