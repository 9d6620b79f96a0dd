import { TtError } from "../errors.ts";
import type { ElementType } from "../named-tensors.ts";
import { findDuplicateKey } from "./duplicate-keys.ts";
import { ELEMENT_BYTES, METADATA_KEY } from "./format.ts";

/** What a header says of one tensor. */
interface HeaderEntry {
  /** Name of the tensor. */
  readonly name: string;
  /** Element type. */
  readonly dtype: ElementType;
  /** Extents. */
  readonly shape: readonly number[];
  /** First byte, counted from the end of the header. */
  readonly start: number;
  /** Byte after the last. */
  readonly end: number;
}

/** A header that has passed every rule of the format. */
export interface Header {
  /** Tensors in the order of their bytes. */
  readonly entries: readonly HeaderEntry[];
  /** Free text entries. */
  readonly metadata: ReadonlyMap<string, string>;
}

/** Parses a header and checks it against the number of bytes that follow it. Throws `E_CORRUPT` on any broken rule. */
export function parseHeader(bytes: Uint8Array, bodyBytes: number): Header {
  if (bytes[0] !== 0x7b) throw corrupt("the header does not start with {");
  const text = decode(bytes);
  const json = parseObject(text);
  const duplicate = findDuplicateKey(text);
  if (duplicate !== undefined) throw corrupt(`the header has the key "${duplicate}" twice`);
  const metadata = new Map<string, string>();
  const entries: HeaderEntry[] = [];
  for (const [name, value] of Object.entries(json)) {
    if (name === METADATA_KEY) for (const [key, text] of metadataEntries(value)) metadata.set(key, text);
    else entries.push(parseEntry(name, value));
  }
  entries.sort((a, b) => a.start - b.start || a.end - b.end);
  checkContiguous(entries, bodyBytes);
  return { entries, metadata };
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw corrupt("the header is not UTF-8", cause);
  }
}

function parseObject(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch (cause) {
    throw corrupt("the header is not JSON", cause);
  }
}

function metadataEntries(value: unknown): [string, string][] {
  if (!isObject(value)) throw corrupt(`${METADATA_KEY} is not an object`);
  return Object.entries(value).map(([key, text]) => {
    if (typeof text !== "string") throw corrupt(`${METADATA_KEY}["${key}"] is not a string`);
    return [key, text];
  });
}

function parseEntry(name: string, value: unknown): HeaderEntry {
  if (!isObject(value)) throw corrupt(`tensor "${name}" has no description`);
  const unknown = Object.keys(value).find((key) => key !== "dtype" && key !== "shape" && key !== "data_offsets");
  if (unknown !== undefined) throw corrupt(`tensor "${name}" has the unknown field "${unknown}"`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== "string" || !Object.hasOwn(ELEMENT_BYTES, dtype)) {
    const found = typeof dtype === "string" ? `the element type "${dtype}"` : "no element type";
    throw corrupt(`tensor "${name}" has ${found}; known are ${Object.keys(ELEMENT_BYTES).join(", ")}`);
  }
  // Values that are not counts are not quoted: they may be nested deeper than any stack.
  if (!isCounts(shape)) throw corrupt(`tensor "${name}": the shape is not a list of whole numbers below 2^53`);
  if (!isCounts(offsets) || offsets.length !== 2 || offsets[0] > offsets[1]) {
    throw corrupt(`tensor "${name}": the data_offsets are not two rising whole numbers below 2^53`);
  }
  const elementBytes = ELEMENT_BYTES[dtype as ElementType];
  // A shape with an extent of 0 is empty however large the other extents are.
  const byteLength = shape.includes(0) ? 0 : shape.reduce((product, extent) => product * extent, elementBytes);
  if (byteLength !== offsets[1] - offsets[0]) {
    throw corrupt(
      `tensor "${name}" of shape [${shape}] in ${dtype} needs ${byteLength} bytes, its data_offsets span ${offsets[1] - offsets[0]}`,
    );
  }
  return { name, dtype: dtype as ElementType, shape, start: offsets[0], end: offsets[1] };
}

function checkContiguous(entries: readonly HeaderEntry[], bodyBytes: number): void {
  let expected = 0;
  for (const { name, start, end } of entries) {
    if (start !== expected) throw corrupt(`tensor "${name}" starts at byte ${start}, the one before ends at ${expected}`);
    expected = end;
  }
  if (expected !== bodyBytes) throw corrupt(`the tensors end at byte ${expected}, the file holds ${bodyBytes} bytes of data`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

function corrupt(rule: string, cause?: unknown): TtError {
  return new TtError("E_CORRUPT", `not a valid safetensors file: ${rule}`, {}, cause === undefined ? undefined : { cause });
}
