import { Runtime } from "@tt-rec/tensor";
import { lookupCall, tableShape } from "../common/lookup-call.ts";
import { TABLE } from "../common/table.ts";
import type { Context, Group } from "./group.ts";
import { BATCH_SIZE } from "./indices.ts";
import { newTTBag } from "./lookups.ts";
import { constant, field } from "./quantity.ts";
import type { Row } from "./row.ts";

const RANKS = 32;
/** How much less than building the whole table. */
const TARGETS = { forward: 10_000, step: 500 } as const;
const PHASES = ["forward", "step"] as const;

/** Scratch memory of a TT lookup beside parameters, input and output, against that of building the whole table. */
export const byteRows: Group = {
  name: "scratch memory",
  rows: PHASES.map(
    (phase): Row => ({
      id: `tt-bytes/R${RANKS}/P1/uniform/${phase}`,
      parameters: { ...TABLE, ranks: RANKS, batchSize: BATCH_SIZE, pooling: 1, ids: "uniform", threads: 1 },
      ...{ engine: "wasm-relaxed", phase, unit: "bytes", target: TARGETS[phase] },
      ours: field(keyOf(phase), "bytes"),
      rival: { name: "materialize all, by arithmetic", value: constant(materializedBytes(phase)) },
    }),
  ),
  peers: [],
  open(session, context) {
    for (const phase of PHASES) session.sample(keyOf(phase), async () => ({ bytes: await scratchGrowth(phase, context) }));
  },
};

/**
 * What building the whole table takes at least: the table itself and the products of the first two cores; a step adds
 * the gradients of both. Copies that a framework makes on the way are not counted.
 */
function materializedBytes(phase: "forward" | "step"): number {
  const { rowShape, columnShape, ranks } = tableShape(RANKS);
  const prefixes = rowShape[0] * rowShape[1] * columnShape[0] * columnShape[1] * ranks[2];
  const forward = (TABLE.rows * TABLE.embeddingDim + prefixes) * Float32Array.BYTES_PER_ELEMENT;
  return phase === "forward" ? forward : 2 * forward;
}

/** Scratch bytes that a runtime holds after its first lookup, without the output's. */
async function scratchGrowth(phase: "forward" | "step", { indices }: Context): Promise<number> {
  const runtime = await Runtime.create({ threads: 1, simd: "relaxed", backend: "wasm", blas: "off" });
  try {
    const bag = newTTBag(runtime, tableShape(RANKS));
    const [first] = await (await indices()).batches("uniform", 1);
    const run = lookupCall(runtime, bag, [{ indices: first }], phase);
    const before = runtime.scratchBytes;
    await run();
    const output = BATCH_SIZE * TABLE.embeddingDim * Float32Array.BYTES_PER_ELEMENT;
    // An output that is not scratch must not make the rest look like less than nothing.
    return Math.max(1, runtime.scratchBytes - before - output);
  } finally {
    await runtime.close();
  }
}

function keyOf(phase: "forward" | "step"): string {
  return `bytes/${phase}`;
}
