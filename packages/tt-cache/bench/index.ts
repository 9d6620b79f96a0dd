import "@tt-rec/testing/relaxed-simd";
import { Runtime } from "@tt-rec/tensor";
import { measureCrossover } from "./crossover.ts";
import { measureHitRates } from "./hit-rates.ts";
import { measureSeeds } from "./hit-seeds.ts";
import { measureRefreshes } from "./refresh.ts";
import { measureRowStorage } from "./row-storage.ts";

const runtime = await Runtime.create();
const parts: Readonly<Record<string, () => Promise<void>>> = {
  crossover: () => measureCrossover(runtime),
  refresh: () => measureRefreshes(runtime),
  rows: () => measureRowStorage(runtime),
  "hit-rates": measureHitRates,
  seeds: measureSeeds,
};
const asked = process.argv.slice(2);
for (const [name, measure] of Object.entries(parts)) if (asked.length === 0 || asked.includes(name)) await measure();
