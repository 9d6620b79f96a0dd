import { createRng, Parameter, type Runtime } from "@tt-rec/tensor";
import test from "ava";
import fc from "fast-check";
import {
  type Bags,
  type EmbeddingBag,
  NO_ROW,
  type Plan,
  type PlanMode,
  type Pooling,
  resolveBags,
  TTEmbeddingBag,
} from "../src/index.ts";
import { batches, drawBags, positive, SHAPES } from "./bag-cases.ts";
import { compareEngines } from "./engine-agreement.ts";
import { engines, reference } from "./engines.ts";

const RUNS = process.env.TT_REC_LONG ? 300 : 12;
const CAPACITY = 11;
/** Which ids have a slot: none, all, or about every third. */
const LAID = { none: () => false, all: () => true, some: (id: number) => (id * 7) % 3 === 0 } as const;

/** A TT bag over which rows are laid, with the methods of any bag. */
function overlaid(
  runtime: Runtime,
  shape: (typeof SHAPES)[number],
  pooling: Pooling,
  isLaid: (id: number) => boolean,
): EmbeddingBag {
  const rng = createRng(3);
  const cores = shape.rowShape.map((p, k) =>
    Float32Array.from({ length: p * shape.ranks[k] * shape.columnShape[k] * shape.ranks[k + 1] }, () => positive(rng)),
  );
  const rows = new Parameter(runtime, "laid", [CAPACITY, shape.embeddingDim]);
  rows.weights.data.set(rows.weights.data.map(() => positive(rng)));
  const bag = new TTEmbeddingBag(runtime, { shape, cores, pooling }, rows);
  const plan = (bags: Bags, mode: PlanMode): Plan => {
    const lookup = resolveBags(bags, pooling, shape.numEmbeddings);
    const slots = lookup.rows.map((id) => (isLaid(id) ? id % CAPACITY : NO_ROW));
    const positions = slots.map((_, p) => p);
    const [laid, below] = [positions.filter((p) => slots[p] !== NO_ROW), positions.filter((p) => slots[p] === NO_ROW)];
    return bag.planOverlaid({ lookup, slots, laid, below }, mode);
  };
  return new Proxy(bag, {
    get(target, key) {
      const value: unknown = key === "plan" ? plan : Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

test.serial("rows laid over a TT table: all engines agree with the reference, whichever positions have one", async (t) => {
  await fc.assert(
    fc.asyncProperty(
      batches,
      fc.constantFrom(...SHAPES),
      fc.constantFrom(...Object.values(LAID)),
      async (batch, shape, isLaid) => {
        const make = (runtime: Runtime): EmbeddingBag => overlaid(runtime, shape, batch.pooling, isLaid);
        await compareEngines(t, engines, reference, make, drawBags(batch, shape.numEmbeddings), batch);
      },
    ),
    { numRuns: 4 * RUNS },
  );
});

test.serial("distinct rows are told apart, before a batch is computed and after it", async (t) => {
  const [shape] = SHAPES;
  const bags = { indices: Uint32Array.of(3, 3, 1, 2, 6, 2, 14) };
  for (const { runtime } of [...engines, { runtime: reference }]) {
    const bag = overlaid(runtime, shape, "sum", LAID.some);
    const plan = bag.plan(bags, { training: true });
    const counts = (): unknown[] => [plan.uniqueRows, (plan as unknown as { uniqueLaid: number }).uniqueLaid];
    // 3 and 6 are laid over; 14 would have the slot of 3, but has none.
    t.deepEqual(counts(), [5, 2]);
    await runtime.step(async () => bag.step(plan, await bag.forward(plan), { kind: "sgd", learningRate: 0 }));
    t.deepEqual(counts(), [5, 2]);
    bag.dispose();
  }
});
