import type { Runtime, Tensor, UpdateRule } from "@tt-rec/tensor";
import { createRng } from "@tt-rec/tensor";
import type { Bags, EmbeddingBag } from "@tt-rec/tt-kernels";
import { createTTShape, initializeCores, type TTShape } from "@tt-rec/tt-math";
import type { CachedTTEmbeddingBag } from "../src/index.ts";

/** The largest table of Criteo Kaggle, and the paper's batch. */
export const ROWS = 10_131_227;
export const DIM = 16;
const BATCH_SIZE = 2048;

const RULE: UpdateRule = { kind: "sgd", learningRate: 1e-6 };
const TRAINING = { training: true };
/** A step that no run reaches. */
export const NEVER: number = 2 ** 31;

const rng = createRng(11);
const normals = Float32Array.from({ length: BATCH_SIZE * DIM }, rng.normal);

/** Shape and cores of the table at a rank, its columns split as in the paper unless said otherwise. */
export function tableOf(
  ranks: number,
  columnShape: readonly number[] = [2, 2, 4],
): { readonly shape: TTShape; readonly cores: Float32Array[] } {
  const shape = createTTShape({
    numEmbeddings: ROWS,
    embeddingDim: DIM,
    rowShape: [200, 220, 250],
    columnShape,
    ranks,
  });
  return { shape, cores: initializeCores(shape, createRng(2021), { kind: "sampled-gaussian", scaling: "variance-matched" }) };
}

/** What results say of the workload. */
export const WORKLOAD: Readonly<Record<string, string | number>> = {
  rows: ROWS,
  embeddingDim: DIM,
  rowShape: "200x220x250",
  columnShape: "2x2x4",
  batchSize: BATCH_SIZE,
};

/** The gradients of a runtime's outputs, by the number of bags: a step of a model finds its own on the heap. */
const gradients = new WeakMap<Runtime, Map<number, Tensor>>();

function gradientOf(runtime: Runtime, outputs: number): Tensor {
  const own = gradients.get(runtime) ?? new Map<number, Tensor>();
  gradients.set(runtime, own);
  const gradient = own.get(outputs) ?? runtime.tensor([outputs, DIM]);
  if (!own.has(outputs)) gradient.data.set(normals.subarray(0, gradient.size));
  own.set(outputs, gradient);
  return gradient;
}

/** One training step: plan, forward, backward, SGD. */
export function step(runtime: Runtime, bag: EmbeddingBag, bags: Bags): Promise<void> {
  return runtime.step(async () => {
    const plan = bag.plan(bags, TRAINING);
    const { shape } = await bag.forward(plan);
    await bag.step(plan, gradientOf(runtime, shape[0]), RULE);
  });
}

/** Fills an empty cache with rows, and waits until all have entered. */
export async function fillCache(runtime: Runtime, bag: CachedTTEmbeddingBag, ids: Uint32Array): Promise<void> {
  await step(runtime, bag, { indices: ids });
  let rows = 0;
  // A choice of many rows takes many steps before the first of them enters.
  for (let unchanged = 0; unchanged < 100; unchanged++) {
    await step(runtime, bag, { indices: new Uint32Array(0) });
    if (bag.metrics.cachedRows > rows) unchanged = 0;
    rows = bag.metrics.cachedRows;
  }
}

/** Distinct ids all over the table. */
export function scatteredIds(count: number): Uint32Array {
  const ids = new Set<number>();
  while (ids.size < count) ids.add(Math.floor(rng.uniform() * ROWS));
  return Uint32Array.from(ids);
}

/** Cuts ids into batches of bags of `pooling` ids each. */
export function batchesOf(ids: Uint32Array, pooling: number): Bags[] {
  const size = BATCH_SIZE * pooling;
  const offsets = Uint32Array.from({ length: BATCH_SIZE + 1 }, (_, bag) => bag * pooling);
  return Array.from({ length: Math.floor(ids.length / size) }, (_, i) => {
    const indices = ids.subarray(i * size, (i + 1) * size);
    return pooling === 1 ? { indices } : { indices, offsets };
  });
}

/** Ids of which an exact share is drawn from the hot ones, evenly spread, and the others from the whole table. */
export function mixedIds(count: number, hot: Uint32Array, share: number): Uint32Array {
  const isHot = new Set(hot);
  const coldId = (): number => {
    for (;;) {
      const id = Math.floor(rng.uniform() * ROWS);
      if (!isHot.has(id)) return id;
    }
  };
  return Uint32Array.from({ length: count }, (_, i) =>
    Math.floor((i + 1) * share + 1e-9) > Math.floor(i * share + 1e-9) ? hot[Math.floor(rng.uniform() * hot.length)] : coldId(),
  );
}

/** Steps through batches in turn. */
export function inTurn(runtime: Runtime, bag: EmbeddingBag, batches: readonly Bags[]): () => Promise<void> {
  let next = 0;
  return () => step(runtime, bag, batches[next++ % batches.length]);
}
