import { TABLE } from "../common/table.ts";
import type { Context, Group } from "./group.ts";
import { BATCH_SIZE } from "./indices.ts";
import { type TTCase, ttCases } from "./lookups.ts";
import { mlpStep } from "./mlp.ts";
import { BATCH_SIZES } from "./mlp-shapes.ts";
import { field } from "./quantity.ts";
import { QUIET_CORES, type Row } from "./row.ts";
import { wasmRuntime } from "./runtimes.ts";
import type { Session } from "./session.ts";

/** Nothing is promised of shorter steps. */
const MIN_MS = 1;

const TT_CASES = [16, 32].flatMap((ranks) =>
  [1, 10, 100].flatMap((pooling) =>
    (["uniform", "zipf"] as const).map((ids): TTCase => ({ ranks, pooling, ids, phase: "step" })),
  ),
);

/** Two threads against one, both ours. Wall time, in rounds without others. */
export const threadRows: Group = {
  name: "two threads",
  rows: [
    ...TT_CASES.map((lookup): Row => {
      const { ranks, pooling, ids } = lookup;
      const parameters = { ...TABLE, ranks, batchSize: BATCH_SIZE, pooling, ids, threads: 2 };
      return rowOf(`tt-step/R${ranks}/P${pooling}/${ids}/2-threads`, parameters, ttKey(lookup), ids === "zipf" ? 1.5 : 1.7);
    }),
    ...BATCH_SIZES.map((batch) => rowOf(`mlp-step/B${batch}/2-threads`, { batchSize: batch, threads: 2 }, mlpKey(batch), 1.7)),
  ],
  peers: [],
  open,
};

function rowOf(id: string, parameters: Row["parameters"], key: string, target: number): Row {
  return {
    ...{ id, parameters, engine: "wasm-relaxed", phase: "step", unit: "ms", target },
    ...{ maxOtherCores: QUIET_CORES, minRivalMs: MIN_MS },
    ours: field(`${key}/2t`, "wall"),
    rival: { name: "one thread", value: field(`${key}/1t`, "wall") },
  };
}

function open(session: Session, context: Context): void {
  const crews = ([1, 2] as const).map((threads) => {
    const runtime = wasmRuntime(session, threads);
    return { threads, runtime, tt: ttCases(session, runtime, context) };
  });
  // One thread and two side by side, so that both meet the same machine.
  for (const lookup of TT_CASES) for (const { threads, tt } of crews) tt.add(`${ttKey(lookup)}/${threads}t`, lookup);
  for (const batch of BATCH_SIZES) {
    for (const { threads, runtime } of crews) {
      session.time(`${mlpKey(batch)}/${threads}t`, async () => mlpStep(await runtime(), batch));
    }
  }
}

function ttKey({ ranks, pooling, ids }: TTCase): string {
  return `tt/R${ranks}/P${pooling}/${ids}/step`;
}

function mlpKey(batch: number): string {
  return `mlp/B${batch}`;
}
