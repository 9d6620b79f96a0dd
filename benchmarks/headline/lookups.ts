import type { Runtime } from "@tt-rec/tensor";
import { type Bags, DenseEmbeddingBag, TTEmbeddingBag } from "@tt-rec/tt-kernels";
import type { TTShape } from "@tt-rec/tt-math";
import type { Ids } from "../common/ids.ts";
import { lookupCall, randomCores, tableShape } from "../common/lookup-call.ts";
import { TABLE } from "../common/table.ts";
import type { Context } from "./group.ts";
import { BATCH_SIZE } from "./indices.ts";
import type { LazyRuntime } from "./runtimes.ts";
import type { Session } from "./session.ts";

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

/** A bag of variance-matched random cores. */
export function newTTBag(runtime: Runtime, shape: TTShape): TTEmbeddingBag {
  return new TTEmbeddingBag(runtime, { shape, cores: randomCores(shape) });
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

async function batchesOf({ indices }: Context, { ids, pooling }: LookupCase): Promise<Bags[]> {
  const offsets = Uint32Array.from({ length: BATCH_SIZE + 1 }, (_, bag) => bag * pooling);
  return (await (await indices()).batches(ids, pooling)).map((batch) => ({ indices: batch, offsets }));
}
