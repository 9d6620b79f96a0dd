import type { EmbeddingConfig, TablePooling } from "@tt-rec/dlrm";
import { TtError } from "@tt-rec/tensor";
import { type BytesSetting, bytesOption } from "./bytes-option.ts";
import { type OptionSpec, refuse } from "./option-spec.ts";

/** How some tables are stored; the first rule that a table meets is its own. */
export interface EmbeddingRule {
  /** Tables by name. Absent: any. */
  readonly tables?: readonly string[];
  /** Only tables of at least so many rows. */
  readonly minRows?: number;
  /** Only the k largest tables of the data set. */
  readonly largest?: number;
  /** What they become. */
  readonly kind: EmbeddingConfig["kind"];
  /** How the rows of a bag are joined. */
  readonly pooling?: TablePooling;
  /** tt: rank bound. */
  readonly ranks?: number;
  /** tt: bytes for all tables of the rule, from which ranks and caches follow, in place of `ranks`. */
  readonly budget?: BytesSetting;
  /** tt: share of the rows to keep in a cache; 0 means none. */
  readonly cacheShare?: number;
  /** tt: rows of the cache of each table, in place of a share. */
  readonly cacheRows?: number;
  /** tt: bytes of the cached rows of each table and of their map, in place of a share. */
  readonly cacheBytes?: BytesSetting;
  /** hash, hot-rows: rows that are kept. */
  readonly rows?: number;
  /** hash: scrambles ids before the remainder is taken. */
  readonly seed?: number;
  /** quotient-remainder: ids that share a quotient. */
  readonly collisions?: number;
  /** quotient-remainder: what is done with the two rows. */
  readonly operation?: "mult" | "add" | "concat";
  /** mixed-dimension: columns, in place of `temperature`. */
  readonly dimension?: number;
  /** mixed-dimension: the columns of the rule's tables are proportional to rows to the power of minus this. */
  readonly temperature?: number;
  /** mixed-dimension: take the nearest powers of two. */
  readonly roundDimensions?: boolean;
  /** low-rank: rank. */
  readonly rank?: number;
}

type Kind = EmbeddingRule["kind"];

/** The fields of each kind; of a list within it, one is needed. */
const FIELDS: Readonly<
  Record<Kind, { readonly oneOf: readonly (keyof EmbeddingRule)[]; readonly others: readonly (keyof EmbeddingRule)[] }>
> = {
  dense: { oneOf: [], others: [] },
  removed: { oneOf: [], others: [] },
  tt: { oneOf: ["ranks", "budget"], others: ["cacheShare", "cacheRows", "cacheBytes"] },
  hash: { oneOf: ["rows"], others: ["seed"] },
  "quotient-remainder": { oneOf: ["collisions"], others: ["operation"] },
  "mixed-dimension": { oneOf: ["dimension", "temperature"], others: ["roundDimensions"] },
  "low-rank": { oneOf: ["rank"], others: [] },
  "hot-rows": { oneOf: ["rows"], others: [] },
};

const SELECTORS: readonly (keyof EmbeddingRule)[] = ["kind", "tables", "minRows", "largest", "pooling"];

const whole = { type: "integer", minimum: 1 };

const SCHEMAS: { readonly [name in keyof EmbeddingRule]-?: object } = {
  tables: { type: "array", items: { type: "string" }, minItems: 1, description: "Names of tables; absent: any" },
  minRows: { ...whole, description: "Only tables of at least so many rows" },
  largest: { ...whole, description: "Only the k largest tables" },
  kind: { enum: Object.keys(FIELDS), description: "How they are stored" },
  pooling: { enum: ["sum", "mean", "max"], description: "How the rows of a bag are joined; default sum" },
  ranks: { ...whole, description: "tt: rank bound" },
  budget: { ...bytesOption(0, "").schema, description: "tt: bytes for these tables, from which ranks and caches follow" },
  cacheShare: { type: "number", minimum: 0, description: "tt: share of the rows to keep in a cache" },
  cacheRows: { type: "integer", minimum: 0, description: "tt: rows of the cache of each table, in place of a share" },
  cacheBytes: {
    ...bytesOption(0, "").schema,
    description: "tt: bytes of the cached rows of each table and of their map, in place of a share",
  },
  rows: { ...whole, description: "hash, hot-rows: rows that are kept" },
  seed: { type: "integer", description: "hash: scrambles ids before the remainder is taken" },
  collisions: { ...whole, description: "quotient-remainder: ids that share a quotient" },
  operation: { enum: ["mult", "add", "concat"], description: "quotient-remainder: what is done with the two rows" },
  dimension: { ...whole, description: "mixed-dimension: columns" },
  temperature: {
    type: "number",
    minimum: 0,
    description: "mixed-dimension: columns proportional to rows to the power of minus this",
  },
  roundDimensions: { type: "boolean", description: "mixed-dimension: take the nearest powers of two" },
  rank: { ...whole, description: "low-rank: rank" },
};

/** The setting: in a config file a list, as a flag its JSON. */
export const EMBEDDINGS: OptionSpec<readonly EmbeddingRule[]> = {
  default: [],
  description: "Rules that choose how tables are stored; the first that a table meets is its own, the others go by --tt-tables",
  placeholder: "json",
  schema: {
    type: "array",
    items: { type: "object", properties: SCHEMAS, required: ["kind"], additionalProperties: false },
  },
  parse(name, value) {
    const rules = typeof value === "string" ? parseJson(name, value) : value;
    if (!Array.isArray(rules)) throw refuse(name, value, 'a list of rules like [{"largest":7,"kind":"tt","ranks":16}]');
    return rules.map((rule: unknown, i) => checkRule(`${name}[${i}]`, rule));
  },
};

function parseJson(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new TtError("E_OPTION", `--${name} is not JSON: ${(cause as Error).message}`, {}, { cause });
  }
}

function checkRule(path: string, value: unknown): EmbeddingRule {
  const fail = (rule: string): never => {
    throw new TtError("E_OPTION", `${path} ${rule}`);
  };
  if (typeof value !== "object" || value === null || Array.isArray(value)) return fail("is not an object");
  const rule = value as EmbeddingRule;
  if (!Object.hasOwn(FIELDS, rule.kind))
    return fail(`has the kind ${JSON.stringify(rule.kind)}; known are ${Object.keys(FIELDS).join(", ")}`);
  const { oneOf, others } = FIELDS[rule.kind];
  const known: readonly string[] = [...SELECTORS, ...oneOf, ...others];
  const wrong = Object.keys(rule).find((key) => !known.includes(key));
  if (wrong !== undefined) fail(`has the key "${wrong}", which is not one of ${rule.kind}: ${known.join(", ")}`);
  if (oneOf.length > 0 && oneOf.filter((field) => rule[field] !== undefined).length !== 1)
    fail(`of kind ${rule.kind} needs ${oneOf.join(" or ")}`);
  const bytesOf = (field: "budget" | "cacheBytes"): Partial<EmbeddingRule> =>
    rule[field] === undefined ? {} : { [field]: bytesOption(0, "").parse(`${path}.${field}`, rule[field]) };
  return { ...rule, ...bytesOf("budget"), ...bytesOf("cacheBytes") };
}
