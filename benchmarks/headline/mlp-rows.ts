import type { Group } from "./group.ts";
import { mlpStep } from "./mlp.ts";
import { BATCH_SIZES, BOTTOM, TOP } from "./mlp-shapes.ts";
import { type PeerRun, peerKey } from "./peers.ts";
import { field } from "./quantity.ts";
import type { Row } from "./row.ts";
import { blasRuntime, wasmRuntime } from "./runtimes.ts";
import type { Session } from "./session.ts";

const RUN: PeerRun = { what: "mlp", threads: 1, folder: "plain" };

/** Targets by engine, for each of the batch sizes. */
const ENGINES = [
  { name: "wasm", engine: "wasm-relaxed", targets: [0.75, 0.6] },
  { name: "blas", engine: "blas", targets: [0.95, 0.95] },
] as const;

/** A step of the two MLPs against PyTorch's. One thread, processor time. */
export const mlpRows: Group = {
  name: "MLPs",
  rows: ENGINES.flatMap(({ name, engine, targets }) =>
    BATCH_SIZES.map(
      (batch, i): Row => ({
        id: `mlp-step/B${batch}/${name}`,
        parameters: { batchSize: batch, bottom: BOTTOM.join("-"), top: TOP.join("-"), threads: 1 },
        ...{ engine, phase: "step", unit: "ms", target: targets[i] },
        ours: field(keyOf(name, batch), "cpu"),
        rival: { name: "PyTorch", value: field(peerKey(RUN, { peer: "MLPs", phase: "step", B: batch }), "cpu") },
      }),
    ),
  ),
  peers: [RUN],
  open,
};

function open(session: Session): void {
  const runtimes = { wasm: wasmRuntime(session, 1), blas: blasRuntime(session) };
  for (const name of ["wasm", "blas"] as const) {
    for (const batch of BATCH_SIZES) session.time(keyOf(name, batch), async () => mlpStep(await runtimes[name](), batch));
  }
}

function keyOf(name: string, batch: number): string {
  return `mlp/${name}/B${batch}`;
}
