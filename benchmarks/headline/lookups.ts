import { createRng, type Runtime, type Tensor, type UpdateRule } from "@tt-rec/tensor";
import { type Bags, DenseEmbeddingBag, type EmbeddingBag, TTEmbeddingBag } from "@tt-rec/tt-kernels";
import { createTTShape, initializeCores, type TTShape } from "@tt-rec/tt-math";
import type { Context } from "./group.ts";
import { BATCH_SIZE, type Ids } from "./indices.ts";
import { TABLE } from "./row.ts";
import type { LazyRuntime } from "./runtimes.ts";
import type { Session } from "./session.ts";

/** So small that hundreds of updates by the same gradient leave finite numbers; the work does not depend on it. */
const RULE: UpdateRule = { kind: "sgd", learningRate: 1e-6 };

/** What is looked up, and how far a call goes: a step is plan, forward, backward and SGD. */
export interface LookupCase {
  /** How ids are drawn. */
  readonly ids: Ids;
  /** Ids a bag. */
  readonly pooling: number;
  /** Part of the job. */
  readonly phase: "forward" | "step";
}

/** A lookup in a table of TT-cores. */
export interface TTCase extends LookupCase {
  /** Ranks, the same at each bond. */
  readonly ranks: number;
}

/** Adds timed lookups of one kind to a session. */
export interface LookupCases<Case extends LookupCase> {
  /** Adds one case. */
  add(key: string, lookup: Case): void;
}

/** Shape of the table in TT format. */
export function tableShape(ranks: number): TTShape {
  const { rows, embeddingDim } = TABLE;
  return createTTShape({ numEmbeddings: rows, embeddingDim, rowShape: [200, 220, 250], columnShape: [2, 2, 4], ranks });
}

/** A bag of variance-matched random cores. */
export function newTTBag(runtime: Runtime, shape: TTShape): TTEmbeddingBag {
  const cores = initializeCores(shape, createRng(2021), { kind: "sampled-gaussian", scaling: "variance-matched" });
  return new TTEmbeddingBag(runtime, { shape, cores });
}

/** Cases on TT-cores; a bag for each rank is made when it is needed. */
export function ttCases(session: Session, runtime: LazyRuntime, context: Context): LookupCases<TTCase> {
  const bags = new Map<number, () => Promise<TTEmbeddingBag>>();
  return {
    add(key, { ranks, ...lookup }) {
      const bag =
        bags.get(ranks) ??
        session.hold(
          async () => newTTBag(await runtime(), tableShape(ranks)),
          (held) => held.dispose(),
        );
      bags.set(ranks, bag);
      session.time(key, async () => lookupCall(await runtime(), await bag(), await batchesOf(context, lookup), lookup.phase));
    },
  };
}

/** Cases on the uncompressed table. */
export function denseCases(session: Session, runtime: LazyRuntime, context: Context): LookupCases<LookupCase> {
  const bag = session.hold(
    async () =>
      new DenseEmbeddingBag(await runtime(), {
        numEmbeddings: TABLE.rows,
        embeddingDim: TABLE.embeddingDim,
        // Pages that were never written share one page of zeros, and would be read too fast.
        initialize: (table) => table.fill(1e-3),
      }),
    (held) => held.dispose(),
  );
  return {
    add(key, lookup) {
      session.time(key, async () => lookupCall(await runtime(), await bag(), await batchesOf(context, lookup), lookup.phase));
    },
  };
}

/** A function that takes the next batch at each call. */
export function lookupCall(
  runtime: Runtime,
  bag: EmbeddingBag,
  batches: readonly Bags[],
  phase: LookupCase["phase"],
): () => Promise<void> {
  let next = 0;
  if (phase === "forward") {
    return () =>
      runtime.step(async () => {
        await bag.forward(bag.plan(batches[next++ % batches.length], { training: false }));
      });
  }
  const gradient = outputGradient(runtime, bag, batches[0]);
  return () =>
    runtime.step(async () => {
      const plan = bag.plan(batches[next++ % batches.length], { training: true });
      await bag.forward(plan);
      await bag.step(plan, gradient, RULE);
    });
}

/** A random gradient of the output. It lives as long as the runtime, as the peers' does. */
function outputGradient(runtime: Runtime, bag: EmbeddingBag, { offsets, indices }: Bags): Tensor {
  const gradient = runtime.tensor([offsets === undefined ? indices.length : offsets.length - 1, bag.embeddingDim]);
  gradient.data.set(Float32Array.from({ length: gradient.size }, createRng(3).normal));
  return gradient;
}

async function batchesOf({ indices }: Context, { ids, pooling }: LookupCase): Promise<Bags[]> {
  const offsets = Uint32Array.from({ length: BATCH_SIZE + 1 }, (_, bag) => bag * pooling);
  return (await (await indices()).batches(ids, pooling)).map((batch) => ({ indices: batch, offsets }));
}

/** Multiplications and additions of a forward pass: each distinct row and each distinct prefix of rows is computed once. */
export function executedFlops({ rowShape, columnShape, ranks }: TTShape, ids: Uint32Array): number {
  let [stride, left, flops] = [rowShape.reduce((a, b) => a * b, 1), 1, 0];
  for (const [k, extent] of rowShape.entries()) {
    stride /= extent;
    const prefixes = new Set<number>();
    for (const id of ids) prefixes.add(Math.floor(id / stride));
    // The first core is not multiplied by anything.
    if (k > 0) flops += 2 * prefixes.size * left * ranks[k] * columnShape[k] * ranks[k + 1];
    left *= columnShape[k];
  }
  return flops;
}
