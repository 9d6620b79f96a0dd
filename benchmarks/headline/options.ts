import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

/** What the command line asks for. */
export interface HeadlineOptions {
  /** File for JSON lines. */
  readonly json?: string;
  /** Rounds of each group. */
  readonly rounds: number;
  /** Beginnings of the ids that are wanted; none means all. */
  readonly only: readonly string[];
  /** Folder of the peers' programs. */
  readonly peers: string;
  /** Time for a case in a round, ours and the peers', in ms. */
  readonly budgetMs: number;
  /** Print the ids and measure nothing. */
  readonly list: boolean;
}

/** The root of the repository, from `benchmarks/dist/headline`. */
const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** Reads the command line. Throws a `TypeError` or a `RangeError` that says what is wrong with it. */
export function readOptions(args: readonly string[]): HeadlineOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: "string" },
      rounds: { type: "string", default: "5" },
      only: { type: "string", multiple: true, default: [] },
      peers: { type: "string" },
      budget: { type: "string", default: "0.3" },
      list: { type: "boolean", default: false },
    },
  });
  const rounds = Number(values.rounds);
  if (!(Number.isInteger(rounds) && rounds >= 1)) throw new RangeError(`--rounds ${values.rounds} is not a whole number above 0`);
  const budget = Number(values.budget);
  if (!(budget > 0 && budget <= 60)) throw new RangeError(`--budget ${values.budget} is not a number of seconds up to 60`);
  return {
    ...(values.json !== undefined && { json: resolve(values.json) }),
    rounds,
    only: values.only,
    peers: resolve(values.peers ?? process.env.TT_REC_PEERS ?? `${ROOT}/../shared/peers`),
    budgetMs: budget * 1000,
    list: values.list,
  };
}
