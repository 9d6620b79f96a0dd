import type { Ids } from "../common/ids.ts";
import { TABLE } from "../common/table.ts";
import type { Context, Group } from "./group.ts";
import { BATCH_SIZE } from "./indices.ts";
import { ttCases } from "./lookups.ts";
import { type PeerRun, peerKey } from "./peers.ts";
import { field } from "./quantity.ts";
import type { Row } from "./row.ts";
import { wasmRuntime } from "./runtimes.ts";
import type { Session } from "./session.ts";

const RANKS = 32;
const CHAIN: PeerRun = { what: "chain", threads: 1, folder: "plain" };
const SCATTERED: PeerRun = { what: "chain", threads: 1, folder: "scattered" };
const MATERIALIZE: PeerRun = { what: "materialize", threads: 1, folder: "plain" };

/** The rivals: the CUDA reference's algorithm in PyTorch, the same without duplicate ids, and T3nsor's. */
const RIVALS = {
  "vs-chain": "batched chain",
  "vs-chain-unique": "batched chain, unique ids",
  "vs-materialize": "materialize all",
} as const;

interface Comparison {
  readonly pooling: number;
  readonly ids: Ids;
  readonly run: PeerRun;
  readonly rival: keyof typeof RIVALS;
  readonly target: number;
}

const COMPARISONS: readonly Comparison[] = [
  { pooling: 1, ids: "uniform", run: CHAIN, rival: "vs-chain", target: 12 },
  { pooling: 10, ids: "zipf", run: CHAIN, rival: "vs-chain", target: 60 },
  { pooling: 10, ids: "zipf", run: CHAIN, rival: "vs-chain-unique", target: 30 },
  { pooling: 10, ids: "scattered", run: SCATTERED, rival: "vs-chain", target: 60 },
  { pooling: 10, ids: "scattered", run: SCATTERED, rival: "vs-chain-unique", target: 30 },
  { pooling: 1, ids: "uniform", run: MATERIALIZE, rival: "vs-materialize", target: 1000 },
];

/** A TT step against other ways of doing it in PyTorch. One thread, processor time. */
export const chainRows: Group = {
  name: "other TT lookups",
  rows: COMPARISONS.map(rowOf),
  peers: [CHAIN, SCATTERED, MATERIALIZE],
  open,
};

function rowOf({ pooling, ids, run, rival, target }: Comparison): Row {
  const dist = ids === "scattered" ? "zipf" : ids;
  const key = peerKey(run, { peer: RIVALS[rival], phase: "step", R: RANKS, B: BATCH_SIZE, P: pooling, dist });
  return {
    id: `tt-step/R${RANKS}/P${pooling}/${ids}/${rival}`,
    parameters: { ...TABLE, ranks: RANKS, batchSize: BATCH_SIZE, pooling, ids, threads: 1 },
    ...{ engine: "wasm-relaxed", phase: "step", unit: "ms", target },
    ours: field(keyOf(pooling, ids), "cpu"),
    rival: { name: RIVALS[rival], value: field(key, "cpu") },
  };
}

function open(session: Session, context: Context): void {
  const tt = ttCases(session, wasmRuntime(session, 1), context);
  const keys = new Map(COMPARISONS.map(({ pooling, ids }) => [keyOf(pooling, ids), { pooling, ids }]));
  for (const [key, lookup] of keys) tt.add(key, { ranks: RANKS, phase: "step", ...lookup });
}

function keyOf(pooling: number, ids: Ids): string {
  return `tt/R${RANKS}/P${pooling}/${ids}/step`;
}
