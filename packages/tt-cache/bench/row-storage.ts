import type { Runtime } from "@tt-rec/tensor";
import { alignColumns, runBenchmark, saveResults, significant } from "@tt-rec/testing";
import { NO_ROW } from "@tt-rec/tt-kernels";
import type { RowStorage } from "@tt-rec/tt-math";
import { CachedTTEmbeddingBag } from "../src/index.ts";
import { batchesOf, fillCache, inTurn, mixedIds, NEVER, scatteredIds, tableOf, WORKLOAD } from "./steps.ts";

/** 1 % of the rows: as floats more than the processor's caches hold. */
const CACHE_ROWS = 101_313;
const HIT_RATE = 0.95;
const IDS = 2 ** 20;

/** Times a training step with the same cached rows as floats and as bytes, ids spread evenly over them. */
export async function measureRowStorage(runtime: Runtime): Promise<void> {
  const asked = scatteredIds(CACHE_ROWS);
  const table = [["case", "rows held", "float32, ms", "int8, ms", "int8 against float32"]];
  for (const pooling of [1, 10]) {
    const bags: CachedTTEmbeddingBag[] = [];
    for (const rowStorage of ["float32", "int8"] satisfies RowStorage[]) {
      const options = { ...tableOf(16), cacheRows: CACHE_ROWS, warmupSteps: 1, refreshEvery: NEVER, rowStorage };
      const bag = new CachedTTEmbeddingBag(runtime, options);
      await fillCache(runtime, bag, asked);
      bags.push(bag);
    }
    const [floats, bytes] = bags;
    const held = (await floats.state()).get("cache.ids")?.data.filter((id) => id !== NO_ROW) as Uint32Array;
    const batches = batchesOf(mixedIds(IDS, held, HIT_RATE), pooling);
    const { engine } = runtime.kernels;
    const results = await runBenchmark({
      ...{
        id: `cache-rows/P${pooling}`,
        parameters: { ...WORKLOAD, ranks: 16, idsPerBag: pooling, cacheRows: CACHE_ROWS, hitRate: HIT_RATE },
      },
      ...{ phase: "step", rival: "float32", rounds: 61, minRoundMs: 10 },
      cases: [
        { name: "int8", engine, run: inTurn(runtime, bytes, batches) },
        { name: "float32", engine, run: inTurn(runtime, floats, batches) },
      ],
    });
    const [ofBytes, ofFloats] = results.map(({ p10 }) => p10);
    table.push([
      `P = ${pooling}`,
      String(held.length),
      significant(ofFloats),
      significant(ofBytes),
      `${significant(ofFloats / ofBytes)}x`,
    ]);
    await saveResults(results);
    for (const bag of bags) bag.dispose();
  }
  console.log(`\n${alignColumns(table)}`);
}
