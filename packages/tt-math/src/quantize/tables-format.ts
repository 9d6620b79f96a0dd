import { type ElementType, type HostTensor, type NamedTensors, TtError } from "@tt-rec/tensor";
import { coreShape, createTTShape, type TTShape } from "../shape/tt-shape.ts";
import type { CoreStorage, QuantizedCores } from "./quantize-cores.ts";

/** Tables in TT format as the tensors and the metadata of a safetensors file (docs/formats.md). */
export interface EncodedTables {
  /** `<table>.core.<k>`, and for int8 `<table>.scale.<k>`. */
  readonly tensors: NamedTensors;
  /** Keys `format`, `version` and `tables`. */
  readonly metadata: ReadonlyMap<string, string>;
}

const FORMAT = "tt-rec-tables";
const VERSION = "1";

const ELEMENT_TYPES: { readonly [storage in CoreStorage]: ElementType } = { float32: "F32", float16: "F16", int8: "I8" };

/** Writes tables as tensors and metadata; `decodeTables` gives back the same bits. */
export function encodeTables(tables: ReadonlyMap<string, QuantizedCores>): EncodedTables {
  const tensors = new Map<string, HostTensor>();
  const descriptions: Record<string, TTShape & { storage: CoreStorage }> = Object.create(null);
  for (const [name, table] of tables) {
    const { shape, storage } = table;
    descriptions[name] = { storage, ...shape };
    for (const [k, data] of table.cores.entries()) {
      tensors.set(coreName(name, k), { dtype: ELEMENT_TYPES[storage], shape: coreShape(shape, k), data });
    }
    if (table.storage !== "int8") continue;
    for (const [k, data] of table.scales.entries()) {
      tensors.set(scaleName(name, k), { dtype: "F32", shape: [shape.rowShape[k]], data });
    }
  }
  const metadata = new Map([
    ["format", FORMAT],
    ["version", VERSION],
    ["tables", JSON.stringify(descriptions)],
  ]);
  return { tensors, metadata };
}

/**
 * Reads the tables that a file holds; its other tensors are left alone.
 *
 * Throws E_CORRUPT where the metadata are not those of tables, or a tensor is missing or does not fit, E_VERSION for a version
 * that is not known.
 */
export function decodeTables({ tensors, metadata }: EncodedTables): Map<string, QuantizedCores> {
  if (metadata.get("format") !== FORMAT) throw corrupt(`its format is not ${FORMAT}`);
  if (metadata.get("version") !== VERSION) {
    throw new TtError("E_VERSION", `version ${metadata.get("version")} of ${FORMAT} is not known, ${VERSION} is`);
  }
  return new Map(
    Object.entries(parseObject(metadata.get("tables") ?? "")).map(([name, value]) => [name, decodeTable(name, value, tensors)]),
  );
}

function decodeTable(name: string, value: unknown, tensors: NamedTensors): QuantizedCores {
  if (typeof value !== "object" || value === null) throw corrupt(`table "${name}" has no description`);
  const { storage, ...rest } = value as { storage?: unknown } & TTShape;
  if (storage !== "float32" && storage !== "float16" && storage !== "int8") {
    throw corrupt(`table "${name}" has the storage ${JSON.stringify(storage)}`);
  }
  const shape = checkedShape(name, rest);
  const tensor = <T extends ElementType>(key: string, dtype: T, extents: readonly number[]) => {
    const found = tensors.get(key);
    if (found?.dtype !== dtype || found.shape.join() !== extents.join()) {
      const what = found === undefined ? "missing" : `${found.dtype} [${found.shape}]`;
      throw corrupt(`tensor "${key}" is ${what}, ${dtype} [${extents}] was expected`);
    }
    return (found as HostTensor<T>).data;
  };
  const cores = <T extends ElementType>(dtype: T) =>
    shape.rowShape.map((_, k) => tensor(coreName(name, k), dtype, coreShape(shape, k)));
  if (storage === "float32") return { storage, shape, cores: cores("F32") };
  if (storage === "float16") return { storage, shape, cores: cores("F16") };
  return { storage, shape, cores: cores("I8"), scales: shape.rowShape.map((p, k) => tensor(scaleName(name, k), "F32", [p])) };
}

function checkedShape(name: string, shape: TTShape): TTShape {
  try {
    return createTTShape({ ...shape, ranks: shape.ranks.slice(1, -1) });
  } catch (cause) {
    throw corrupt(`table "${name}" has no valid shape`, cause);
  }
}

function parseObject(json: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(json);
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch {
    // Told below.
  }
  throw corrupt("the description of its tables is no JSON object");
}

function coreName(table: string, k: number): string {
  return `${table}.core.${k}`;
}

function scaleName(table: string, k: number): string {
  return `${table}.scale.${k}`;
}

function corrupt(rule: string, cause?: unknown): TtError {
  return new TtError("E_CORRUPT", `not a file of TT tables: ${rule}`, {}, cause === undefined ? undefined : { cause });
}
