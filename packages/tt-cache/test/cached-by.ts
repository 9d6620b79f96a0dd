import { Runtime } from "@tt-rec/tensor";
import { CachedTTEmbeddingBag, type CachePolicy, type CachePolicyName } from "../src/index.ts";
import { partsOf, randomCores, SHAPES } from "./overlay-oracle.ts";

/** What a bag with room for two rows holds after each step; it fills after the first and refreshes after every second. */
export async function cachedBy(
  policy: CachePolicyName | CachePolicy,
  steps: readonly (readonly number[])[],
): Promise<number[][]> {
  const runtime = await Runtime.create({ poison: true });
  const [shape] = SHAPES;
  const options = { shape, cores: randomCores(shape, 1), cacheRows: 2, warmupSteps: 1, refreshEvery: 2, policy };
  const bag = new CachedTTEmbeddingBag(runtime, options);
  const cached: number[][] = [];
  for (const ids of steps) {
    await runtime.step(async () => {
      const plan = bag.plan({ indices: Uint32Array.from(ids) }, { training: true });
      await bag.step(plan, runtime.scratch([plan.outputs, shape.embeddingDim]), { kind: "sgd", learningRate: 1 });
    });
    cached.push(partsOf(await bag.state(), shape).ids);
  }
  return cached;
}
