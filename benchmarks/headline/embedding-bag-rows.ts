import { TABLE } from "../common/table.ts";
import type { Context, Group } from "./group.ts";
import { BATCH_SIZE } from "./indices.ts";
import { denseCases, type LookupCase, type TTCase, ttCases } from "./lookups.ts";
import { type PeerRun, peerKey } from "./peers.ts";
import { field } from "./quantity.ts";
import type { Row } from "./row.ts";
import { wasmRuntime } from "./runtimes.ts";
import type { Session } from "./session.ts";

const PEER = "nn.EmbeddingBag";
const PLAIN: PeerRun = { what: "embbag", threads: 1, folder: "plain" };
const SCATTERED: PeerRun = { what: "embbag", threads: 1, folder: "scattered" };

/** Targets of a TT step by ranks: one id a bag, ten and a hundred by Zipf. */
const TT_TARGETS = [
  { ranks: 16, targets: [0.7, 1.2, 2] },
  { ranks: 32, targets: [0.25, 0.6, 1.3] },
] as const;

const TT_CASES = TT_TARGETS.flatMap(({ ranks, targets }): (TTCase & { readonly target: number })[] => [
  { ranks, pooling: 1, ids: "uniform", phase: "step", target: targets[0] },
  ...[10, 100].flatMap((pooling, i) =>
    (["zipf", "scattered"] as const).map((ids) => ({ ranks, pooling, ids, phase: "step" as const, target: targets[i + 1] })),
  ),
]);

const DENSE_CASES = (["forward", "step"] as const).flatMap((phase) =>
  [1, 10, 100].flatMap((pooling) => (["uniform", "zipf"] as const).map((ids): LookupCase => ({ phase, pooling, ids }))),
);

/** Our tables, in TT format and uncompressed, against PyTorch's. One thread, processor time. */
export const embeddingBagRows: Group = {
  name: "nn.EmbeddingBag",
  rows: [
    ...TT_CASES.map((lookup): Row => {
      const { ranks, target } = lookup;
      return { ...rowOf(`tt-step/R${ranks}`, lookup), ours: field(ttKey(lookup), "cpu"), target };
    }),
    ...DENSE_CASES.map(
      (lookup): Row => ({ ...rowOf(`dense-${lookup.phase}`, lookup), ours: field(denseKey(lookup), "cpu"), target: 1 }),
    ),
  ],
  peers: [PLAIN, SCATTERED],
  open,
};

function rowOf(start: string, { ids, pooling, phase, ...rest }: LookupCase & { readonly ranks?: number }): Omit<Row, "ours"> {
  const parameters = { ...TABLE, batchSize: BATCH_SIZE, pooling, ids, threads: 1, ...(rest.ranks && { ranks: rest.ranks }) };
  const run = ids === "scattered" ? SCATTERED : PLAIN;
  const key = peerKey(run, { peer: PEER, phase, B: BATCH_SIZE, P: pooling, dist: ids === "scattered" ? "zipf" : ids });
  return {
    id: `${start}/P${pooling}/${ids}/vs-embedding-bag`,
    ...{ parameters, engine: "wasm-relaxed", phase, unit: "ms" },
    rival: { name: PEER, value: field(key, "cpu") },
  };
}

function open(session: Session, context: Context): void {
  const runtime = wasmRuntime(session, 1);
  const [tt, dense] = [ttCases(session, runtime, context), denseCases(session, runtime, context)];
  for (const lookup of TT_CASES) tt.add(ttKey(lookup), lookup);
  for (const lookup of DENSE_CASES) dense.add(denseKey(lookup), lookup);
}

function ttKey({ ranks, ...lookup }: TTCase): string {
  return `tt/R${ranks}/${lookupKey(lookup)}`;
}

function denseKey(lookup: LookupCase): string {
  return `dense/${lookupKey(lookup)}`;
}

function lookupKey({ pooling, ids, phase }: LookupCase): string {
  return `P${pooling}/${ids}/${phase}`;
}
