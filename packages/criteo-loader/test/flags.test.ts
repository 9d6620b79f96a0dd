import { memoryDirectory } from "@tt-rec/tensor";
import test from "ava";
import {
  CRITEO_SCHEMA,
  delimitedSource,
  type LogSchema,
  logSchemaOf,
  openDataset,
  parseTableSchema,
  prepare,
  type RowSource,
  withNegatives,
} from "../src/index.ts";
import { collect, feature, line, randomLog, scan, snapshot, source } from "./support.ts";

/** Flags in another order than the columns. */
const FLAGS = ["I3", "I1", "I13"];
const FLAGGED: LogSchema = { ...CRITEO_SCHEMA, flags: FLAGS };

test("a flag is 1 where the number is missing, not where it is 0 or negative, and everything else stays as it is", async (t) => {
  const log = randomLog(500, 3);
  const [plain, flagged] = [await scan(source(log)), memoryDirectory()];
  await prepare([source(log)], flagged, { schema: FLAGGED, days: 2 });
  const dataset = await openDataset(flagged);
  t.is(dataset.denseFeatures, 16);
  t.deepEqual(dataset.manifest.schema, FLAGGED);
  const fields = log
    .trimEnd()
    .split("\n")
    .map((row) => row.split("\t"));
  const batches = await collect(dataset.batches({ split: "train", batchSize: 101 }));
  const rows = batches.flatMap(({ size, dense }) =>
    Array.from({ length: size }, (_, b) => [...dense.subarray(b * 16, (b + 1) * 16)]),
  );
  t.is(rows.length, 250);
  for (const [i, row] of rows.entries()) {
    t.deepEqual(row.slice(0, 13), plain.rows[i].slice(1, 14));
    t.deepEqual(
      row.slice(13),
      FLAGS.map((name) => (fields[i][Number(name.slice(1))] === "" ? 1 : 0)),
    );
  }
  t.true(rows.some((row) => row[13] === 1) && rows.some((row) => row[13] === 0));
});

test("without flags a data set has the bytes that it had before there were any", async (t) => {
  const log = randomLog(100, 5);
  const [a, b] = [memoryDirectory(), memoryDirectory()];
  await prepare([source(log)], a);
  await prepare([source(log)], b, { schema: CRITEO_SCHEMA });
  t.deepEqual(await snapshot(a), await snapshot(b));
  t.false("flags" in (await openDataset(a)).manifest.schema);
});

test("flags of what is no number column, and two of one, are E_OPTION", async (t) => {
  for (const [flags, message] of [
    [["C1"], /"C1" is no whole-number column/],
    [["I1", "I1"], /"I1" has two flags/],
  ] as const)
    await t.throwsAsync(prepare([source(randomLog(5))], memoryDirectory(), { schema: { ...CRITEO_SCHEMA, flags } }), {
      code: "E_OPTION",
      message,
    });
});

const TABLE = {
  label: "y",
  dense: ["a", { column: "b", transform: "none", flag: true }, { column: "c", flag: true }],
  ids: ["user", "item"],
};
const CSV = [line("y", "a", "b", "c", "user", "item"), line(1, "", "", 3, "u", "i"), line(0, 2, -5, "", "v", "j"), ""].join("\n");

async function rowsOf(from: RowSource, schema: LogSchema): Promise<number[][]> {
  const blocks = await collect(from.blocks(schema, { maxBadRows: 0, badRows: 0, lines: 0, bytes: 0 }));
  return blocks.flatMap(({ rows, dense }) => {
    const width = dense.length / rows;
    return Array.from({ length: rows }, (_, row) => [...dense.subarray(row * width, (row + 1) * width)]);
  });
}

test("columns of a table have flags by its schema, and drawn negatives have those of their row", async (t) => {
  const schema = parseTableSchema(JSON.stringify(TABLE));
  t.deepEqual(logSchemaOf(schema).flags, ["b", "c"]);
  const expected = [
    [0, 0, feature(3), 1, 0],
    [feature(2), -5, 0, 0, 1],
  ];
  t.deepEqual(await rowsOf(delimitedSource(source(CSV), schema), logSchemaOf(schema)), expected);

  const { label: _, ...implicit } = { ...TABLE, negatives: { user: "user", item: "item", perPositive: 1 } };
  const drawing = parseTableSchema(JSON.stringify(implicit));
  const csv = CSV.split("\n")
    .map((row) => row.split("\t").slice(1).join("\t"))
    .join("\n");
  if (drawing.negatives === undefined) return t.fail();
  const [all] = withNegatives([delimitedSource(source(csv), drawing)], drawing.negatives);
  t.deepEqual(await rowsOf(all, logSchemaOf(drawing)), [expected[0], expected[0], expected[1], expected[1]]);
  return t.throws(() => parseTableSchema(JSON.stringify({ ...TABLE, dense: [{ column: "a", flag: 1 }] })), {
    code: "E_OPTION",
    message: /dense\[0\]\.flag/,
  });
});
