import { createRng } from "@tt-rec/tensor";
import { createTTShape, type TTShape } from "@tt-rec/tt-math";
import { uniformIds } from "../common/ids.ts";
import { executedFlops, lookupCall } from "../common/lookup-call.ts";
import type { Group } from "./group.ts";
import { newTTBag } from "./lookups.ts";
import { field, type Quantity } from "./quantity.ts";
import type { Row } from "./row.ts";
import { wasmRuntime } from "./runtimes.ts";
import type { Session } from "./session.ts";

/** The configuration of the CUDA reference's own benchmark. */
const SHAPE: TTShape = createTTShape({
  numEmbeddings: 11_000_000,
  embeddingDim: 64,
  rowShape: [200, 220, 250],
  columnShape: [4, 4, 4],
  ranks: 32,
});
const BATCH_SIZE = 512;
const POOLING = 20;
const BATCHES = 32;
const PHASES = ["forward", "step"] as const;
const FLOPS_KEY = "fbtt/flops";

/** The CUDA reference's benchmark on our kernels: no rival runs here. One thread, processor time. */
export const fbttRows: Group = {
  name: "FBTT's configuration",
  rows: PHASES.flatMap((phase): Row[] => {
    const parameters = {
      ...{ rows: SHAPE.numEmbeddings, embeddingDim: 64, rowShape: "200x220x250", columnShape: "4x4x4", ranks: 32 },
      ...{ batchSize: BATCH_SIZE, pooling: POOLING, ids: "uniform", threads: 1 },
    };
    const common = { parameters, engine: "wasm-relaxed", phase };
    return [
      { ...common, id: `fbtt-${phase}/R32/P20/uniform`, unit: "ms", ours: field(keyOf(phase), "cpu") },
      { ...common, id: `fbtt-${phase}/R32/P20/uniform/rate`, unit: "GFLOP/s", ours: rateOf(phase) },
    ];
  }),
  peers: [],
  open,
};

function rateOf(phase: "forward" | "step"): Quantity {
  const passes = phase === "forward" ? 1 : 3;
  return {
    needs: [keyOf(phase), FLOPS_KEY],
    of(at) {
      const [ms, flops] = [at(keyOf(phase))?.cpu, at(FLOPS_KEY)?.rate];
      return ms === undefined || flops === undefined ? undefined : (passes * flops) / 1e6 / ms;
    },
  };
}

function open(session: Session): void {
  const runtime = wasmRuntime(session, 1);
  const bag = session.hold(
    async () => newTTBag(await runtime(), SHAPE),
    (held) => held.dispose(),
  );
  const draw = uniformIds(SHAPE.numEmbeddings, createRng(7));
  const offsets = Uint32Array.from({ length: BATCH_SIZE + 1 }, (_, b) => b * POOLING);
  const batches = Array.from({ length: BATCHES }, () => ({ indices: draw(BATCH_SIZE * POOLING), offsets }));
  for (const phase of PHASES) {
    session.time(keyOf(phase), async () => lookupCall(await runtime(), await bag(), batches, phase));
  }
  session.sample(FLOPS_KEY, async () => ({
    rate: batches.reduce((sum, { indices }) => sum + executedFlops(SHAPE, indices), 0) / BATCHES,
  }));
}

function keyOf(phase: "forward" | "step"): string {
  return `fbtt/${phase}`;
}
