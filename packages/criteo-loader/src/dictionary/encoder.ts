import { type Directory, TtError } from "@tt-rec/tensor";
import { hashIndices } from "../learn/hash-column.ts";
import { IdTable } from "../learn/id-table.ts";
import { denseWidth, idColumnKinds, type LogSchema } from "../log/log-schema.ts";
import type { Manifest } from "../manifest/manifest.ts";
import { readManifest } from "../manifest/read-manifest.ts";
import { loadDictionary } from "./dictionaries-file.ts";

/** Turns raw ids of new data into the indices that a data set's model was trained with. */
export interface Encoder {
  /** Columns of the data set. */
  readonly schema: LogSchema;
  /** Dense features of a row, flags of missing numbers among them. */
  readonly denseFeatures: number;
  /** Names of the id columns, in the order of the tables. */
  readonly tableNames: readonly string[];
  /** Number of rows of each table: its largest index and 1. */
  readonly cardinalities: readonly number[];
  /**
   * Index of a raw id in table `column`, counted from 0; index 0 if training rows did not have it. A missing id has the raw
   * value 0. Throws `E_INDEX` if there is no such table or the value is no unsigned number of 32 bits, or of 64 in a wide
   * column.
   */
  encode(column: number, rawValue: number | bigint): number;
  /**
   * Indices of many raw ids of a table at once. `words` holds them as a `RowBlock` does: one word an id, two (low, high) in a
   * wide column. Throws `E_INDEX` if there is no such table.
   */
  encodeColumn(column: number, words: Uint32Array): Uint32Array;
}

/**
 * Loads the dictionaries of a data set as an encoder. Throws `E_NOT_FOUND`, `E_VERSION` or `E_CORRUPT`, as `openDataset` does.
 */
export async function openEncoder(directory: Directory): Promise<Encoder> {
  const manifest = await readManifest(directory);
  const kinds = idColumnKinds(manifest.schema);
  const tables: IdTable[] = [];
  const { maxIndexRange: range, hashSize } = manifest.options;
  if (hashSize === null) for (const column of kinds.keys()) tables.push(await loadTable(directory, manifest, column));

  const encodeColumn = (column: number, words: Uint32Array): Uint32Array => {
    if (kinds[column] === undefined) throw new TtError("E_INDEX", `table ${column} was asked for, there are ${kinds.length}`);
    const narrow = kinds[column].words === 1;
    const raw = Int32Array.from(narrow && range !== null ? words.map((word) => word % range) : words);
    const indices = new Int32Array(words.length / kinds[column].words);
    if (hashSize === null) tables[column].lookUp(raw, indices.length, indices);
    else hashIndices(raw, kinds[column].words, indices.length, hashSize, indices);
    return new Uint32Array(indices.buffer);
  };
  return {
    schema: manifest.schema,
    denseFeatures: denseWidth(manifest.schema),
    tableNames: manifest.schema.ids,
    cardinalities: manifest.cardinalities,
    encodeColumn,
    encode: (column, rawValue) => encodeColumn(column, wordsOf(rawValue, kinds[column]?.words ?? 1))[0],
  };
}

function wordsOf(rawValue: number | bigint, words: 1 | 2): Uint32Array {
  const limit = 2n ** BigInt(32 * words);
  if (typeof rawValue === "bigint" || Number.isSafeInteger(rawValue)) {
    const value = BigInt(rawValue);
    if (value >= 0n && value < limit) {
      const low = Number(value & 0xffffffffn);
      return words === 1 ? Uint32Array.of(low) : Uint32Array.of(low, Number(value >> 32n));
    }
  }
  throw new TtError("E_INDEX", `the raw id ${rawValue} is not an unsigned ${32 * words}-bit number`);
}

async function loadTable(directory: Directory, manifest: Manifest, column: number): Promise<IdTable> {
  const { values } = await loadDictionary(directory, manifest, column);
  const { words } = idColumnKinds(manifest.schema)[column];
  const table = new IdTable(words);
  const ids = values.length / words;
  table.learn(new Int32Array(values.buffer, values.byteOffset, values.length), ids, new Int32Array(ids));
  if (table.size === ids) return table;
  const { name } = manifest.dictionaries[column];
  throw new TtError("E_CORRUPT", `${name} holds a value of column ${manifest.schema.ids[column]} twice`, { file: name });
}
