import { Dlrm, type DlrmConfig, evaluate, type TTTableMaker, train } from "@tt-rec/dlrm";
import { createRng, mixBits, Runtime } from "@tt-rec/tensor";
import { quantile } from "@tt-rec/testing";
import { CachedTTEmbeddingBag, type CachedTTEmbeddingBagOptions, resolvePolicy } from "@tt-rec/tt-cache";
import { TTEmbeddingBag } from "@tt-rec/tt-kernels";
import { planCompression } from "@tt-rec/tt-math";
import { int8RowsFor } from "./equal-bytes.ts";
import { EnergyCachedBag } from "./gradient-energy.ts";
import { Lookahead } from "./lookahead.ts";
import type { Task } from "./task.ts";
import type { Variant } from "./variants.ts";

/** How a table of a run is cached: absent means not at all. */
export interface CacheChoice {
  readonly variant: Variant;
  /** Share of the rows. */
  readonly share: number;
}

/** What came out of a run. */
export interface Outcome {
  /** Test metrics; absent in a run that measures time only. */
  readonly auc?: number;
  readonly logLoss?: number;
  /** Processor time of a step, with one thread, and the median of its wall time, in milliseconds. */
  readonly cpuMilliseconds: number;
  readonly stepMilliseconds: number;
  /** Of all lookups in cached tables, and of distinct rows a step; the time before the fill counts. */
  readonly hitRate?: number;
  readonly distinctHitRate?: number;
  /** Sums over the caches. */
  readonly refreshes: number;
  readonly evictions: number;
  readonly loadedRows: number;
  readonly refreshMilliseconds: number;
  readonly cacheBytes: number;
  /** Bytes of the tables as a deployed model needs them. */
  readonly embeddingBytes: number;
}

/** Trains a model once. With `steps` it stops after so many and is not evaluated: a run that measures time. */
export async function trainOnce(task: Task, choice: CacheChoice | undefined, seed: number, steps?: number): Promise<Outcome> {
  const runtime = await Runtime.create({ threads: 1 });
  const caches: CachedTTEmbeddingBag[] = [];
  const ahead = choice?.variant.ahead === undefined ? undefined : new Lookahead(choice.variant.ahead);
  const counts = choice?.variant.counts === "known" ? await task.accessCounts() : undefined;
  const config = configOf(task);
  const cached = config.tables.flatMap(({ embedding }, table) => (embedding.kind === "tt" ? [table] : []));
  // Tables are made in the order of the configuration.
  const maker: TTTableMaker = {
    engine: "the runtime",
    make(_, options) {
      const table = cached[caches.length];
      if (choice === undefined) return new TTEmbeddingBag(runtime, options);
      const { policy, schedule, int8 } = choice.variant;
      const { numEmbeddings: rows, embeddingDim } = options.shape;
      const floatRows = Math.min(rows, Math.max(1, Math.round(choice.share * rows)));
      const cacheRows = int8 === undefined ? floatRows : int8RowsFor(floatRows, embeddingDim, rows, int8);
      const sized: Omit<CachedTTEmbeddingBagOptions, "policy"> = {
        ...options,
        ...schedule,
        cacheRows,
        ...(int8 && { rowStorage: "int8", roundingSeed: (mixBits(seed) + table) >>> 0 }),
        ...(counts && { accessCounts: counts[table] }),
      };
      if (policy === "gradient-energy") {
        const bag = new EnergyCachedBag(runtime, sized);
        caches.push(bag.cache);
        return bag;
      }
      const own = ahead === undefined ? policy : ahead.policyFor(table, resolvePolicy(policy));
      const bag = new CachedTTEmbeddingBag(runtime, { ...sized, policy: own });
      caches.push(bag);
      return bag;
    },
  };
  const model = new Dlrm(runtime, config, createRng(seed), { ttTables: maker });
  try {
    const { batchSize, epochs, shuffle, optimizer } = task;
    const times: number[] = [];
    const before = process.cpuUsage();
    const trained = ahead === undefined ? task.source : ahead.read(task.source);
    for await (const event of train(model, trained, { epochs, batchSize, shuffle, optimizer, seed })) {
      if (event.kind !== "step") continue;
      times.push(event.milliseconds);
      if (times.length === steps) break;
    }
    const { user, system } = process.cpuUsage(before);
    const cpu = (user + system) / 1e3;
    const sum = (of: (metrics: CachedTTEmbeddingBag["metrics"]) => number): number =>
      caches.reduce((total, { metrics }) => total + of(metrics), 0);
    const test = steps === undefined ? await evaluate(model, task.source, "test") : undefined;
    return {
      ...(test && { auc: test.auc, logLoss: test.logLoss }),
      cpuMilliseconds: cpu / times.length,
      stepMilliseconds: quantile(times, 0.5),
      ...(caches.length > 0 && {
        hitRate: sum(({ hits }) => hits) / sum(({ lookups }) => lookups),
        distinctHitRate: sum(({ distinctHits }) => distinctHits) / sum(({ distinctLookups }) => distinctLookups),
      }),
      refreshes: sum(({ refreshes }) => refreshes),
      evictions: sum(({ evictions }) => evictions),
      loadedRows: sum(({ loadedRows }) => loadedRows),
      refreshMilliseconds: sum(({ refreshMilliseconds }) => refreshMilliseconds),
      cacheBytes: sum(({ bytes }) => bytes),
      embeddingBytes: model.embeddingParameterBytes,
    };
  } finally {
    model.dispose();
    await runtime.close();
  }
}

function configOf({
  embeddingDim = 16,
  cardinalities,
  tableNames,
  denseFeatures,
  bottomMlp,
  topMlp,
  ttTables,
  ttRanks,
  columnShape,
}: Task): DlrmConfig {
  const plan = planCompression({ embeddingDim, numEmbeddings: cardinalities, tables: ttTables, ranks: ttRanks });
  const tables = plan.tables.map(({ index, numEmbeddings, shape }) => ({
    name: tableNames[index],
    numEmbeddings,
    embedding:
      shape === undefined
        ? ({ kind: "dense" } as const)
        : ({ kind: "tt", ranks: ttRanks, ...(columnShape && { columnShape }) } as const),
  }));
  return { denseFeatures, embeddingDim, bottomMlp, topMlp, tables };
}
