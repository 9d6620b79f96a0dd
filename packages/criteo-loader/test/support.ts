import type { Directory } from "@tt-rec/tensor";
import { memoryDirectory } from "@tt-rec/tensor";
import { CRITEO_SCHEMA, type LogSchema, type LogSource, type RowBlock, type ScanState } from "../src/index.ts";
import { scanRows } from "../src/log/scan-rows.ts";

/** How many cases a property tries: few in everyday runs, the full count under TT_REC_LONG. */
export function runs(usual: number, long: number): number {
  return process.env.TT_REC_LONG ? long : usual;
}

/** A small generator for test data (mulberry32), independent of the product's. */
export function testRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Writes a row from its fields. */
export const line = (...fields: readonly (string | number)[]): string => fields.join("\t");

/** A random good row; ids come from few values, so that they repeat. */
export function randomRow(random: () => number, schema: LogSchema = CRITEO_SCHEMA): string {
  const pick = (count: number): number => Math.floor(random() * count);
  const dense = schema.dense.map(() => (random() < 0.2 ? "" : String(pick(7) === 0 ? -pick(3) : pick(10 ** (1 + pick(6))))));
  const ids = schema.ids.map((_, column) => (random() < 0.2 ? "" : Math.imul(pick(3 + 2 * column) + 1, 0x9e3779b1 + column)));
  const hex = ids.map((id) => (id === "" ? "" : ((id as number) >>> 0).toString(16).padStart(8, "0")));
  return line(pick(4) === 0 ? 1 : 0, ...dense, ...hex);
}

/** Random good rows as a log. */
export function randomLog(rows: number, seed = 1, schema: LogSchema = CRITEO_SCHEMA): string {
  const random = testRandom(seed);
  return Array.from({ length: rows }, () => `${randomRow(random, schema)}\n`).join("");
}

/** A source of some bytes, cut at the given places. */
export function source(content: string | Uint8Array, cuts: readonly number[] = [], name = "test.tsv"): LogSource {
  const bytes = typeof content === "string" ? Buffer.from(content, "latin1") : content;
  return {
    name,
    async *chunks() {
      let start = 0;
      for (const cut of [...cuts, bytes.length]) {
        yield bytes.subarray(start, cut);
        start = cut;
      }
    },
  };
}

/** What a scan found, as plain arrays. */
export interface Scanned {
  /** One `[label, …dense features, …ids]` a row. */
  readonly rows: number[][];
  /** Bad rows skipped. */
  readonly badRows: number;
}

/** Scans a source into plain arrays. */
export async function scan(from: LogSource, maxBadRows = 0, schema: LogSchema = CRITEO_SCHEMA): Promise<Scanned> {
  const state: ScanState = { maxBadRows, badRows: 0, lines: 0, bytes: 0 };
  const rows: number[][] = [];
  for await (const block of scanRows(from, schema, state)) rows.push(...plainRows(block, schema.dense.length));
  return { rows, badRows: state.badRows };
}

/** The rows of a block of one id a row and column. */
export function plainRows({ rows, labels, dense, ids }: RowBlock, width: number): number[][] {
  return Array.from({ length: rows }, (_, row) => [
    labels[row],
    ...dense.subarray(row * width, (row + 1) * width),
    ...ids.map(({ words }) => words[row]),
  ]);
}

/** DLRM's feature of a whole number, in float32. */
export const feature = (value: number): number => Math.fround(Math.log(Math.max(0, value) + 1));

const GOOD_ROW = /^[01](\t(-?\d{1,15})?){13}(\t[0-9a-f]{0,8}){26}$/i;

/** The same by regular expression and split, line by line: the oracle for good and bad rows. */
export function scanOracle(text: string): Scanned {
  const lines = text.split("\n");
  if (lines[lines.length - 1] === "") lines.pop();
  const good = lines.map((row) => row.replace(/\r$/, "")).filter((row) => GOOD_ROW.test(row));
  const rows = good.map((row) =>
    row.split("\t").map((field, column) => {
      if (field === "") return 0;
      if (column === 0) return Number(field);
      return column < 14 ? feature(Number(field)) : Number.parseInt(field, 16);
    }),
  );
  return { rows, badRows: lines.length - good.length };
}

/** All bytes of a directory, by name. */
export async function snapshot(directory: Directory): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const name of await directory.list()) {
    const file = await directory.read(name);
    files.set(name, await file.slice(0, file.byteLength));
  }
  return files;
}

/** SHA-256 of each file of a directory: big ones take minutes to compare by their bytes. */
export async function digests(directory: Directory): Promise<Record<string, string>> {
  const names = await directory.list();
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await directory.digest(name)])));
}

/** A directory in memory with these files. */
export async function directoryOf(files: ReadonlyMap<string, Uint8Array>): Promise<Directory> {
  const directory = memoryDirectory();
  for (const [name, bytes] of files) await directory.commit(name, bytes);
  return directory;
}

/** Collects an async iterable. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
