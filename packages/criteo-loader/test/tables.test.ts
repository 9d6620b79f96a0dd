import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { readBytes } from "@tt-rec/tensor";
import { Bool, Field, Float32, Int32, Int64, List, Table, tableToIPC, Uint32, Utf8, vectorFromArray } from "apache-arrow";
import test from "ava";
import { parquetWriteBuffer } from "hyparquet-writer";
import {
  delimitedSource,
  type IdOrderName,
  logSchemaOf,
  type NegativeOptions,
  parquetSource,
  parseTableSchema,
  type TableSchema,
  withNegatives,
} from "../src/index.ts";
import { parquetFile } from "../src/node/parquet-file.ts";
import { prepareFiles, tableFile } from "../src/node.ts";
import { runs, source, testRandom } from "./support.ts";
import { type PlainRow, rowsOf } from "./table-support.ts";

const SCHEMA = parseTableSchema(
  JSON.stringify({
    label: "clicked",
    dense: ["age", { column: "price", transform: "none" }],
    ids: [
      "city",
      { column: "item", type: "integer" },
      { column: "tags", list: "|" },
      { column: "parts", type: "integer", list: " " },
    ],
  }),
);

/** Rows as columns, with missing values, and the same as CSV. */
function sampleTable(rows: number) {
  const random = testRandom(3);
  const pick = (count: number): number => Math.floor(random() * count);
  const some = <T>(value: T): T | null => (pick(5) === 0 ? null : value);
  const list = <T>(make: () => T): T[] => Array.from({ length: pick(4) }, make);
  const of = <T>(make: () => T): T[] => Array.from({ length: rows }, make);
  const clicked = of(() => pick(2) === 1);
  const age = of(() => some(BigInt(pick(90) - 5)));
  const price = of(() => some(Math.fround(random() * 100)));
  const city = of(() => some(["Rome", "Zürich", 'a "b", c'][pick(3)]));
  const item = of(() => some(pick(2 ** 31)));
  const tags = of(() => list(() => ["red", "blue", "green"][pick(3)]));
  const parts = of(() => list(() => pick(1000)));
  const quoted = (value: unknown): string => (value === null ? "" : `"${String(value).replaceAll('"', '""')}"`);
  const lines = clicked.map((label, row) =>
    [label ? 1 : 0, age[row], price[row], city[row], item[row], tags[row].join("|"), parts[row].join(" ")].map(quoted).join(","),
  );
  return {
    columns: { clicked, age, price, city, item, tags, parts },
    csv: `clicked,age,price,city,item,tags,parts\n${lines.join("\n")}`,
  };
}

function parquetOf({ columns: { clicked, age, price, city, item, tags, parts } }: ReturnType<typeof sampleTable>): Uint8Array {
  const buffer = parquetWriteBuffer({
    columnData: [
      { name: "unused", data: clicked.map((_, row) => row), type: "INT32" },
      { name: "parts", data: parts },
      { name: "clicked", data: clicked, type: "BOOLEAN" },
      { name: "age", data: age, type: "INT64" },
      { name: "price", data: price, type: "FLOAT" },
      { name: "city", data: city, type: "STRING" },
      { name: "item", data: item, type: "INT32" },
      { name: "tags", data: tags },
    ],
    rowGroupSize: 131,
  });
  return new Uint8Array(buffer);
}

/** Runs a test in a folder of its own. */
async function inFolder(use: (path: (name: string) => string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "tt-rec-tables-"));
  try {
    await use((name) => join(folder, name));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const inMemory = (bytes: Uint8Array) => async () => readBytes(bytes);

test("a Parquet file gives the rows of the same table in CSV", async (t) => {
  const table = sampleTable(301);
  const expected = await rowsOf(delimitedSource(source(Buffer.from(table.csv)), SCHEMA), SCHEMA);
  t.is(expected.length, 301);
  t.true(expected.some(({ ids }) => ids[2].length === 6));
  t.deepEqual(await rowsOf(parquetSource("t.parquet", inMemory(parquetOf(table)), SCHEMA), SCHEMA), expected);
});

test("a bad value of a Parquet file is refused with row and column, and a missing column with the names there are", async (t) => {
  const parquet = parquetSource(
    "t.parquet",
    inMemory(
      new Uint8Array(
        parquetWriteBuffer({
          columnData: [
            { name: "y", data: [1, 0, 3], type: "INT32" },
            { name: "a", data: [7, -1, 8], type: "INT32" },
          ],
        }),
      ),
    ),
    parseTableSchema('{ "label": "y", "ids": [{ "column": "a", "type": "integer" }] }'),
  );
  const schema = parseTableSchema('{ "label": "y", "ids": [{ "column": "a", "type": "integer" }] }');
  const error = await t.throwsAsync<Error & { where?: object }>(rowsOf(parquet, schema), {
    code: "E_ROW",
    message:
      't.parquet, row 2: column a is not a whole number of 0 to 4294967295 (larger ones and texts need "type": "text"): -1 was found',
  });
  t.deepEqual(error?.where, { file: "t.parquet", line: 2, column: "a" });
  t.deepEqual(await rowsOf(parquet, schema, 2), [{ label: 1, dense: [], ids: [[7]] }]);
  const other = parseTableSchema('{ "label": "y", "ids": ["b"] }');
  const bytes = new Uint8Array(parquetWriteBuffer({ columnData: [{ name: "y", data: [1] }] }));
  await t.throwsAsync(rowsOf(parquetSource("t", inMemory(bytes), other), other), {
    code: "E_ROW",
    message: /no column "b"; there are "y"/,
  });
});

test("a damaged Parquet file is a typed error or its rows, and never hangs", async (t) => {
  t.timeout(600_000);
  const folder = mkdtempSync(join(tmpdir(), "tt-rec-parquet-"));
  const path = join(folder, "damaged.parquet");
  const bytes = parquetOf(sampleTable(40));
  const random = testRandom(9);
  const codes = new Map<string, number>();
  for (let run = 0; run < runs(30, 600); run++) {
    const damaged = run % 3 === 0 ? bytes.slice(0, Math.floor(random() * bytes.length)) : bytes.slice();
    for (let flips = 0; flips < run % 3; flips++) damaged[Math.floor(random() * damaged.length)] ^= 1 << Math.floor(random() * 8);
    writeFileSync(path, damaged);
    const outcome = await rowsOf(parquetFile(path, SCHEMA, 3000), SCHEMA).then(
      () => "rows",
      (error: { code?: string }) => String(error.code),
    );
    codes.set(outcome, (codes.get(outcome) ?? 0) + 1);
  }
  rmSync(folder, { recursive: true });
  t.true((codes.get("E_CORRUPT") ?? 0) > 0);
  t.deepEqual(
    [...codes.keys()].filter((code) => !["rows", "E_CORRUPT", "E_ROW"].includes(code)),
    [],
    JSON.stringify([...codes]),
  );
});

test("a file is read by what it is, not by its name; a file that cannot be decoded in time is refused", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "tt-rec-table-"));
  const path = join(folder, "table");
  const table = sampleTable(50);
  const expected = await rowsOf(delimitedSource(source(Buffer.from(table.csv)), SCHEMA), SCHEMA);
  for (const content of [table.csv, gzipSync(table.csv), parquetOf(table)]) {
    writeFileSync(path, content);
    t.deepEqual(await rowsOf(tableFile(path, SCHEMA), SCHEMA), expected);
  }
  await t.throwsAsync(rowsOf(parquetFile(path, SCHEMA, 0), SCHEMA), { code: "E_CORRUPT", message: /takes more than 0 ms/ });
  await t.throwsAsync(rowsOf(tableFile(join(folder, "none"), SCHEMA), SCHEMA), { code: "E_NOT_FOUND" });
  rmSync(folder, { recursive: true });
});

test("an Arrow file or stream gives the rows of the same table in CSV", async (t) => {
  const sample = sampleTable(97);
  const { clicked, age, price, city, item, tags, parts } = sample.columns;
  const table = new Table({
    clicked: vectorFromArray(clicked, new Bool()),
    age: vectorFromArray(age, new Int64()),
    price: vectorFromArray(price, new Float32()),
    city: vectorFromArray(city, new Utf8()),
    item: vectorFromArray(item, new Uint32()),
    tags: vectorFromArray(tags.map((list) => list.join("|"))),
    parts: vectorFromArray(parts, new List(new Field("item", new Int32()))),
  });
  const expected = await rowsOf(delimitedSource(source(Buffer.from(sample.csv)), SCHEMA), SCHEMA);
  await inFolder(async (path) => {
    for (const format of ["file", "stream"] as const) {
      writeFileSync(path("table"), tableToIPC(table, format));
      t.deepEqual(await rowsOf(tableFile(path("table"), SCHEMA), SCHEMA), expected, format);
    }
    writeFileSync(path("table"), tableToIPC(table, "file").subarray(0, 900));
    await t.throwsAsync(rowsOf(tableFile(path("table"), SCHEMA), SCHEMA), { code: "E_CORRUPT" });
  });
});

const IMPLICIT = parseTableSchema(
  JSON.stringify({
    ids: [{ column: "user", type: "integer" }, "item", { column: "tags", list: "|" }],
    dense: ["n"],
    negatives: { user: "user", item: "item", perPositive: 3, seed: 7 },
  }),
);

function implicitLog(rows: number, seed: number, users = 20, items = 30): string {
  const random = testRandom(seed);
  const pick = (count: number): number => Math.floor(random() * count);
  const lines = Array.from(
    { length: rows },
    (_, row) => `${pick(users)},i${Math.floor(pick(items) * random())},t${row % 5}|u,${row}`,
  );
  return `user,item,tags,n\n${lines.join("\n")}\n`;
}

const negativesOf = (texts: readonly string[], schema = IMPLICIT) =>
  withNegatives(
    texts.map((text, file) => delimitedSource(source(text, [], `file ${file}`), schema)),
    schema.negatives as NonNullable<typeof schema.negatives>,
  );

test("negatives follow each row: the same user, an item that the user never has, in any file", async (t) => {
  const texts = [implicitLog(200, 1), implicitLog(90, 2)];
  const positives = await Promise.all(texts.map((text) => rowsOf(delimitedSource(source(text), IMPLICIT), IMPLICIT)));
  const had = new Map<number, Set<string>>();
  const items = new Set<string>();
  for (const { ids } of positives.flat()) {
    had.set(ids[0][0], (had.get(ids[0][0]) ?? new Set()).add(ids[1].join()));
    items.add(ids[1].join());
  }
  const drawn = new Map<string, number>();
  for (const [file, from] of negativesOf(texts).entries()) {
    const rows = await rowsOf(from, IMPLICIT);
    t.is(rows.length, 4 * positives[file].length);
    for (const [row, { label, dense, ids }] of rows.entries()) {
      const positive = positives[file][Math.floor(row / 4)];
      if (row % 4 === 0) t.deepEqual({ label, dense, ids }, positive);
      else {
        t.is(label, 0);
        t.deepEqual([dense, ids[0], ids[2]], [positive.dense, positive.ids[0], positive.ids[2]]);
        t.false(had.get(ids[0][0])?.has(ids[1].join()), `user ${ids[0][0]} has ${ids[1]}`);
        t.true(items.has(ids[1].join()));
        drawn.set(ids[1].join(), (drawn.get(ids[1].join()) ?? 0) + 1);
      }
    }
  }
  t.true(drawn.size > 0.8 * items.size);
});

test("negatives depend on the seed alone: not on the pieces in which the log arrives, nor on how often it is read", async (t) => {
  const text = implicitLog(150, 3);
  const [from] = negativesOf([text]);
  const expected = await rowsOf(from, IMPLICIT);
  t.deepEqual(await rowsOf(from, IMPLICIT), expected);
  const pieces = withNegatives([delimitedSource(source(text, [100, 101, 700]), IMPLICIT)], {
    user: "user",
    item: "item",
    perPositive: 3,
    seed: 7,
  });
  t.deepEqual(await rowsOf(pieces[0], IMPLICIT), expected);
  const other = withNegatives([delimitedSource(source(text), IMPLICIT)], { user: "user", item: "item", perPositive: 3, seed: 8 });
  const itemsOf = (rows: PlainRow[]) => rows.map(({ ids }) => ids[1]);
  t.notDeepEqual(itemsOf(await rowsOf(other[0], IMPLICIT)), itemsOf(expected));
});

test("a user with all items but one always gets that one; with all items an error says so", async (t) => {
  const all = Array.from({ length: 200 }, (_, item) => `1,i${item},,0`);
  const text = (lines: string[]): string => ["user,item,tags,n", "2,i199,,0", ...lines].join("\n");
  const rows = await rowsOf(negativesOf([text(all.slice(0, 199))])[0], IMPLICIT);
  const [left] = rows[0].ids.slice(1);
  for (const { label, ids } of rows) if (label === 0 && ids[0][0] === 1) t.deepEqual(ids[1], left);
  await t.throwsAsync(rowsOf(negativesOf([text(all)])[0], IMPLICIT), {
    code: "E_OPTION",
    message: /a user has every one of the 200 items/,
  });
});

test("an interrupted prepare of tables goes on to the same bytes, in every id order; another schema starts anew", async (t) => {
  await inFolder(async (path) => {
    const logs = [path("a.csv"), path("b.csv"), path("c.csv")];
    for (const [i, log] of logs.entries()) writeFileSync(log, implicitLog(300, i));
    const run = async (
      target: string,
      idOrder: IdOrderName,
      schema: TableSchema,
      stopAt = 0,
    ): Promise<Record<string, string>> => {
      let steps = 0;
      const sources = withNegatives(
        logs.map((log) => tableFile(log, schema)),
        schema.negatives as NegativeOptions,
      );
      await prepareFiles(sources, path(target), {
        ...{ schema: logSchemaOf(schema), days: "files", idOrder, threads: 1, replace: true },
        ...{ rowShape: (n) => [4, 4, Math.ceil(n / 16)], ...(idOrder === "hash" && { hashSize: 50 }) },
        onProgress() {
          if (++steps === stopAt) throw new Error("stop");
        },
      });
      return Object.fromEntries(
        readdirSync(path(target)).map((name) => [name, readFileSync(join(path(target), name), "base64")]),
      );
    };
    const other: TableSchema = { ...IMPLICIT, dense: [{ column: "n", transform: "none" }] };
    for (const idOrder of ["first-seen", "frequency", "similarity", "hash"] as const) {
      const expected = await run(`${idOrder}-whole`, idOrder, IMPLICIT);
      let interrupted = 0;
      for (let step = 1; ; step++) {
        const target = `${idOrder}-${step}`;
        const stopped = await run(target, idOrder, IMPLICIT, step).then(
          () => false,
          (error: Error) => error.message === "stop",
        );
        if (!stopped) break;
        interrupted++;
        t.deepEqual(await run(target, idOrder, IMPLICIT), expected, `${idOrder}, step ${step}`);
      }
      t.true(interrupted > 8, String(interrupted));
      await t.throwsAsync(run("changed", idOrder, IMPLICIT, 4), { message: "stop" });
      t.deepEqual(await run("changed", idOrder, other), await run("other", idOrder, other));
    }
  });
});
