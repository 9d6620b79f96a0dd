import { createBatchStore, kaggleModel, type TableIds, trainCall } from "./dlrm-model.ts";
import type { Group } from "./group.ts";
import { BATCH_SIZES } from "./mlp-shapes.ts";
import { type PeerRun, peerKey } from "./peers.ts";
import { field } from "./quantity.ts";
import { QUIET_CORES, type Row } from "./row.ts";
import { blasRuntime, type LazyRuntime, wasmRuntime } from "./runtimes.ts";
import type { Session } from "./session.ts";

const PEER = "DLRM Kaggle, uncompressed";
const TABLE_IDS: readonly TableIds[] = ["zipf", "uniform"];

/** An engine against PyTorch, with its target at each batch size. */
interface Contest {
  readonly name: string;
  readonly engine: string;
  readonly threads: 1 | 2;
  readonly targets: Readonly<Record<number, number>>;
}

const ONE_THREAD: readonly Contest[] = [
  { name: "wasm-1t", engine: "wasm-relaxed", threads: 1, targets: { 128: 1 } },
  { name: "blas-1t", engine: "blas", threads: 1, targets: { 128: 1.4, 2048: 1.2 } },
];
const TWO_THREADS: Contest = { name: "wasm-2t", engine: "wasm-relaxed", threads: 2, targets: { 128: 1.3 } };

/** Targets of the compressed model: 1 / 1.05, 1 / 1.1 and 1 / 1.125 of the uncompressed one's speed. */
const TT_TARGETS: Readonly<Record<TableIds, Readonly<Record<number, number>>>> = {
  zipf: { 128: 0.952, 2048: 0.952 },
  uniform: { 128: 0.909, 2048: 0.889 },
};

/** A whole step of the Kaggle model: uncompressed against PyTorch, and compressed against our own uncompressed one. */
export const dlrmOneThread: Group = {
  name: "DLRM, one thread",
  rows: [...ONE_THREAD.flatMap(contestRows), ...TABLE_IDS.flatMap(compressedRows)],
  peers: [runOf(1)],
  open(session) {
    const [wasm, store] = [wasmRuntime(session, 1), createBatchStore()];
    addModel(session, wasm, store, "wasm-1t", "dense", ["uniform", "zipf"]);
    addModel(session, wasm, store, "tt", "tt", ["uniform", "zipf"]);
    addModel(session, blasRuntime(session), store, "blas-1t", "dense", ["uniform"]);
  },
};

/** The uncompressed step on two threads, against PyTorch on as many; a group of its own, since the tables take 2.2 GB. */
export const dlrmTwoThreads: Group = {
  name: "DLRM, two threads",
  rows: contestRows(TWO_THREADS),
  peers: [runOf(2)],
  open(session) {
    addModel(session, wasmRuntime(session, 2), createBatchStore(), TWO_THREADS.name, "dense", ["uniform"]);
  },
};

function runOf(threads: 1 | 2): PeerRun {
  return { what: "dlrm", threads, folder: "plain" };
}

function contestRows({ name, engine, threads, targets }: Contest): Row[] {
  const clock = threads === 1 ? "cpu" : "wall";
  return BATCH_SIZES.map((batch) => ({
    id: `dlrm-step/B${batch}/${name}`,
    parameters: { model: "kaggle", tables: "dense", batchSize: batch, ids: "uniform", threads },
    ...{ engine, phase: "step", unit: "ms" },
    ours: field(keyOf(name, batch, "uniform"), clock),
    rival: { name: "PyTorch", value: field(peerKey(runOf(threads), { peer: PEER, phase: "step", B: batch }), clock) },
    ...(targets[batch] !== undefined && { target: targets[batch] }),
    ...(threads === 2 && { maxOtherCores: QUIET_CORES }),
  }));
}

function compressedRows(ids: TableIds): Row[] {
  return BATCH_SIZES.map((batch) => ({
    id: `dlrm-step/B${batch}/${ids}/tt-top7`,
    parameters: { model: "kaggle", tables: "tt-top7", ranks: 32, batchSize: batch, ids, threads: 1 },
    ...{ engine: "wasm-relaxed", phase: "step", unit: "ms", target: TT_TARGETS[ids][batch] },
    ours: field(keyOf("tt", batch, ids), "cpu"),
    rival: { name: "uncompressed", value: field(keyOf("wasm-1t", batch, ids), "cpu") },
  }));
}

function addModel(
  session: Session,
  runtime: LazyRuntime,
  store: ReturnType<typeof createBatchStore>,
  name: string,
  tables: "dense" | "tt",
  kinds: readonly TableIds[],
): void {
  const model = session.hold(
    async () => kaggleModel(await runtime(), tables),
    (held) => held.dispose(),
  );
  for (const batch of BATCH_SIZES) {
    for (const ids of kinds) session.time(keyOf(name, batch, ids), async () => trainCall(await model(), store(batch, ids)));
  }
}

function keyOf(name: string, batch: number, ids: TableIds): string {
  return `dlrm/${name}/B${batch}/${ids}`;
}
