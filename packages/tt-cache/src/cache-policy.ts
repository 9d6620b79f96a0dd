import { type Runtime, TtError } from "@tt-rec/tensor";
import { AccessCounter } from "./access-counter.ts";
import { exchangeRows } from "./exchange-rows.ts";
import type { RowCounter } from "./row-counter.ts";
import { SetCounter } from "./set-counter.ts";
import type { SpreadWork } from "./spread-work.ts";

/** How a cache takes new rows: what it counts by, and which rows it holds after a refresh. One policy may serve many caches. */
export interface CachePolicy {
  /**
   * Whether rows that stay in the cache keep their values and optimizer state. Otherwise a refresh loads all rows anew from the
   * cores, and what they had learned is lost.
   */
  readonly keepsRows: boolean;
  /**
   * When a cache without `warmupSteps` fills: at the end of the first step, or when the rows accessed most have become stable, as a
   * policy needs that cannot correct an early choice without a loss.
   */
  readonly fills: "at once" | "when stable";
  /** Makes the counter of a cache that can hold `capacity` rows; each cache has its own. A runtime may lend its heap and kernels. */
  createCounter(capacity: number, runtime?: Runtime): RowCounter;
  /**
   * Finds the distinct rows that a cache is to hold after a refresh, at most `capacity`; `held` are those that it holds, `hasMoved` tells
   * that clearly more accesses missed them lately than before. Its last piece of work may age the counter, in which nothing is
   * counted meanwhile.
   */
  selectRows(counter: RowCounter, capacity: number, held: Uint32Array, hasMoved: boolean): SpreadWork<Uint32Array>;
}

/**
 * The policies of this package.
 *
 * `resident`, the default: accesses age, and rows that stay keep what they have learned; see the README for what that is worth.
 * `semi-dynamic` is the paper's: the rows accessed most since the beginning, all loaded anew from the cores at each refresh.
 * `static` fills the cache once, with the rows accessed most by then, or by counts that were given.
 */
export type CachePolicyName = "resident" | "semi-dynamic" | "static";

/**
 * Under `resident`, counts are halved at a refresh once they sum to this many accesses a cached row: fewer follow a drift faster,
 * more tell rows apart that are accessed almost alike. Once accesses have moved, fewer will do.
 */
const AGE = 50;
const AGE_IF_MOVED = 20;

/** Counted ids a cached row under `resident` and `static`: with 4, hit rates of the benchmark's traces are at most 0.004 below those by exact counts. */
const PLACES_PER_ROW = 4;

const RESIDENT: CachePolicy = {
  keepsRows: true,
  fills: "at once",
  createCounter: (capacity, runtime) => new SetCounter(PLACES_PER_ROW * capacity, runtime),
  *selectRows(counter, capacity, held, hasMoved) {
    const rows = yield* exchangeRows(counter, capacity, held);
    if (counter.total >= (hasMoved ? AGE_IF_MOVED : AGE) * capacity) yield* counter.aging();
    return rows;
  },
};

const SEMI_DYNAMIC: CachePolicy = {
  keepsRows: false,
  fills: "when stable",
  createCounter: () => new AccessCounter(),
  selectRows: mostCountedRows,
};

const STATIC: CachePolicy = {
  keepsRows: true,
  fills: "when stable",
  createCounter: (capacity, runtime) => new SetCounter(PLACES_PER_ROW * capacity, runtime),
  *selectRows(counter, capacity, held) {
    return held.length > 0 ? held : yield* mostCountedRows(counter, capacity);
  },
};

const POLICIES: Readonly<Record<CachePolicyName, CachePolicy>> = {
  resident: RESIDENT,
  "semi-dynamic": SEMI_DYNAMIC,
  static: STATIC,
};

/** The policy of a name; a policy is returned as it is. Throws `E_OPTION` on an unknown name. */
export function resolvePolicy(policy: CachePolicyName | CachePolicy): CachePolicy {
  if (typeof policy !== "string") return policy;
  if (Object.hasOwn(POLICIES, policy)) return POLICIES[policy];
  const known = Object.keys(POLICIES).join(", ");
  throw new TtError("E_OPTION", `the cache policy "${policy}" is not known; known are ${known}`);
}

function* mostCountedRows(counter: RowCounter, capacity: number): SpreadWork<Uint32Array> {
  return (yield* counter.ranking(capacity)).ids;
}
