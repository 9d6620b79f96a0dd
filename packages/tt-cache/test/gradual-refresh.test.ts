import { createRng, Runtime, type UpdateRule } from "@tt-rec/tensor";
import { allClose, copyState, poolRows, randomBags, scratchFrom } from "@tt-rec/testing";
import { createTTShape } from "@tt-rec/tt-math";
import test from "ava";
import { CachedTTEmbeddingBag, type CachePolicyName } from "../src/index.ts";
import { normals, overlayTable, partsOf, randomCores } from "./overlay-oracle.ts";

const SHAPE = createTTShape({
  numEmbeddings: 2401,
  embeddingDim: 12,
  rowShape: [11, 13, 17],
  columnShape: [3, 2, 2],
  ranks: [3, 5],
});
const TRAINING = { training: true };
const RULE: UpdateRule = { kind: "adagrad", learningRate: 0.05, eps: 0.1 };
/** Rows enter 512 a step. */
const OPTIONS = { shape: SHAPE, cacheRows: 1201, warmupSteps: 2, refreshEvery: 5 };

function bagOf(runtime: Runtime, policy: CachePolicyName, seed = 1): CachedTTEmbeddingBag {
  return new CachedTTEmbeddingBag(runtime, { ...OPTIONS, cores: randomCores(SHAPE, seed), policy });
}

/** Ids that drift, so that refreshes have rows to exchange. */
function drawIds(step: number): { indices: Uint32Array; offsets: Uint32Array } {
  const { uniform } = createRng(8, step);
  const { indices, offsets } = randomBags(uniform, { numEmbeddings: 1500, batchSize: 301, maxPooling: 6 });
  return { indices: indices.map((id) => (id + 60 * step) % SHAPE.numEmbeddings), offsets };
}

async function train(runtime: Runtime, bag: CachedTTEmbeddingBag, begin: number, end: number): Promise<void> {
  for (let step = begin; step < end; step++) {
    await runtime.step(async () => {
      const plan = bag.plan(drawIds(step), TRAINING);
      const gradient = scratchFrom(runtime, [301, 12], normals(createRng(9, step), 301 * 12));
      await bag.step(plan, gradient, RULE);
    });
  }
}

test("chosen rows enter in portions over the next steps, the most accessed first, each from the cores of its step", async (t) => {
  const runtime = await Runtime.create({ poison: true });
  const bag = bagOf(runtime, "resident");
  const sizes: number[] = [];
  let before: readonly number[] = [];
  for (let step = 0; step < 8; step++) {
    await train(runtime, bag, step, step + 1);
    const { cores, ids, rows } = partsOf(await bag.state(), SHAPE);
    const table = overlayTable(SHAPE, cores, [], []);
    for (const [slot, id] of ids.entries()) {
      if (id === before[slot]) continue;
      allClose(t, rows.subarray(slot * 12, (slot + 1) * 12), table.subarray(id * 12, (id + 1) * 12), 1e-5);
    }
    before = ids;
    sizes.push(bag.metrics.cachedRows);
    t.is(new Set(ids).size, ids.length);
  }
  // As many as the choice left work for, then as many as enter in a step.
  t.true(sizes[0] === 0 && sizes[1] > 0 && sizes[1] < 640, `${sizes}`);
  t.is(sizes[2], sizes[1] + 640);
  t.is(bag.metrics.refreshes, 2);
  const counted = bagOf(runtime, "resident");
  await train(runtime, counted, 0, 2);
  const state = await counted.state();
  const [seen, counts] = ["counter.ids", "counter.counts"].map((name) => [...(state.get(name)?.data ?? [])]);
  const ranked = seen.map((id, i) => [id, counts[i]]).sort(([a, m], [b, n]) => n - m || a - b);
  t.deepEqual(
    partsOf(state, SHAPE).ids,
    ranked.slice(0, sizes[1]).map(([id]) => id),
  );
});

test("a run that stops in the middle of a refresh goes on bit for bit, and a plan made before is good in all of its steps", async (t) => {
  const runtime = await Runtime.create({ poison: true });
  for (const policy of ["resident", "semi-dynamic"] as const) {
    const whole = bagOf(runtime, policy);
    await train(runtime, whole, 0, 13);
    const expected = copyState(await whole.state());
    let underWay = 0;
    for (let stop = 1; stop < 12; stop++) {
      const first = bagOf(runtime, policy);
      await train(runtime, first, 0, stop);
      const saved = copyState(await first.state());
      if (saved.has("cache.entering")) underWay++;
      const second = bagOf(runtime, policy, 2);
      await train(runtime, second, 0, 3);
      await second.load(saved);
      t.deepEqual(copyState(await second.state()), saved);
      await train(runtime, second, stop, 13);
      t.deepEqual(copyState(await second.state()), expected);
    }
    t.true(underWay >= 2, `${underWay} of the stops were in the middle of a refresh`);
    const bag = bagOf(runtime, policy);
    const bags = drawIds(4);
    const plan = bag.plan(bags, { training: false });
    for (let step = 0; step < 9; step++) {
      await train(runtime, bag, step, step + 1);
      const { cores, ids, rows } = partsOf(await bag.state(), SHAPE);
      const held = ids.map((id, slot) => [id, slot]).filter(([id]) => id < SHAPE.numEmbeddings);
      const table = overlayTable(
        SHAPE,
        cores,
        held.map(([id]) => id),
        held.flatMap(([, slot]) => [...rows.subarray(slot * 12, (slot + 1) * 12)]),
      );
      const out = await runtime.step(async () => (await bag.forward(plan)).data.slice());
      allClose(t, out, poolRows(table, 12, bags, "sum"), 1e-5);
      const dense = await bag.toDense();
      allClose(t, dense.data, table, 1e-5);
      dense.dispose();
    }
  }
});
