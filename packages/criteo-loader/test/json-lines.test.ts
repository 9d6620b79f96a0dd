import { rejectsCode } from "@tt-rec/testing";
import test from "ava";
import fc from "fast-check";
import { delimitedSource, jsonLinesSource, logRows, parseTableSchema } from "../src/index.ts";
import type { LogSchema } from "../src/log/log-schema.ts";
import { runs, source } from "./support.ts";
import { rowsOf } from "./table-support.ts";

const SCHEMA = parseTableSchema(
  JSON.stringify({
    label: "clicked",
    dense: ["age", { column: "price", transform: "none" }],
    ids: ["city", { column: "item", type: "integer" }, { column: "tags", list: "|" }, { column: "device", type: "hex" }],
  }),
);
const CSV =
  "device,clicked,price,age,city,tags,item\n" +
  "ff,1,-2.5,1,Røme,red|blue,7\n" +
  "0A,0,1e2,,Røme,,4294967295\n" +
  ",1,,-3,,red,\n";
const LINES = [
  { device: "ff", clicked: 1, price: -2.5, age: 1, city: "Røme", tags: ["red", "blue"], item: 7, unused: { a: 1 } },
  { device: "0A", clicked: false, price: 100, city: "Røme", tags: [], item: 4294967295 },
  { device: null, clicked: true, age: -3, tags: ["red"] },
].map((row) => JSON.stringify(row));
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

test("JSON lines give the rows of the same table as CSV, however the bytes arrive", async (t) => {
  const expected = await rowsOf(delimitedSource(source(utf8(CSV)), SCHEMA), SCHEMA);
  for (const end of ["", "\n", "\r\n"]) {
    const bytes = utf8(LINES.join("\n") + end);
    for (let cut = 0; cut < bytes.length; cut += 7) {
      t.deepEqual(await rowsOf(jsonLinesSource(source(bytes, [cut, cut + 1]), SCHEMA), SCHEMA), expected, `cut at ${cut}`);
    }
  }
});

test("bad lines are told with line and reason, and skipped where that is allowed", async (t) => {
  const cases: [string, RegExp][] = [
    ["{", /^test\.tsv, line 2: it is no JSON object$/],
    ["[1]", /line 2: it is no JSON object/],
    ["", /line 2: it is no JSON object/],
    ['{"clicked": 2}', /row 2: column clicked is not 0 or 1: 2 was found/],
    ['{"clicked": 1, "age": "x"}', /row 2: column age is not a number/],
    ['{"clicked": 1, "item": -1}', /row 2: column item is not a whole number/],
    // JSON.parse would give 2^53 for this.
    ['{"clicked": 1, "city": 9007199254740993}', /row 2: column city is not/],
    ['{"clicked": 1, "city": {"a": 1}}', /row 2: column city is not/],
    ['{"clicked": 1, "__proto__": {"age": 5}, "device": "x"}', /row 2: column device is not up to 8 hexadecimal digits/],
  ];
  const good = await rowsOf(jsonLinesSource(source(utf8(`${LINES[0]}\n${LINES[2]}\n`)), SCHEMA), SCHEMA);
  for (const [line, message] of cases) {
    const text = utf8(`${LINES[0]}\n${line}\n${LINES[2]}\n`);
    await rejectsCode(t, "E_ROW", rowsOf(jsonLinesSource(source(text), SCHEMA), SCHEMA), message);
    t.deepEqual(await rowsOf(jsonLinesSource(source(text), SCHEMA), SCHEMA, 1), good, line);
  }
});

test("rows beyond a piece of lines and a block come in order", async (t) => {
  const rows = Array.from({ length: 20_000 }, (_, i) => JSON.stringify({ clicked: i % 2, price: i, item: i }));
  const found = await rowsOf(jsonLinesSource(source(utf8(rows.join("\n"))), SCHEMA), SCHEMA);
  t.is(found.length, rows.length);
  t.true(found.every(({ dense, ids }, i) => dense[1] === i && ids[1][0] === i));
});

const LOG: LogSchema = { label: "label", dense: ["I1"], ids: ["C1", "C2"] };

/** Labels, dense features and ids of a log as plain arrays. */
async function logOf(content: string, cuts: readonly number[] = []): Promise<unknown[]> {
  const rows: unknown[] = [];
  for await (const block of logRows(source(content, cuts)).blocks(LOG, { maxBadRows: 0, badRows: 0, lines: 0, bytes: 0 })) {
    for (let i = 0; i < block.rows; i++) rows.push([block.labels[i], block.dense[i], ...block.ids.map(({ words }) => words[i])]);
  }
  return rows;
}

test("a log without its label column has the rows of the same log with labels of 0, however the bytes arrive", async (t) => {
  const fields = ["3\ta\tff", "\t\t", "-1\t\t0", "17\tdeadbeef\t"];
  const labelled = fields.map((line) => `0\t${line}`);
  const expected = await logOf(labelled.join("\n"));
  t.is(expected.length, 4);
  for (const end of ["", "\n"]) {
    const text = fields.join("\n") + end;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(text.length), { maxLength: 5 }), async (places) => {
        const cuts = [...places].sort((a, b) => a - b);
        t.deepEqual(await logOf(text, cuts), expected, String(cuts));
      }),
      { numRuns: runs(100, 2000) },
    );
  }
  t.deepEqual(await logOf("1\t3\ta\tff\n0\t\t\t\n"), [
    [1, Math.fround(Math.log(4)), 10, 255],
    [0, 0, 0, 0],
  ]);
  t.deepEqual(await logOf("5\t1\t2"), [[0, Math.fround(Math.log(6)), 1, 2]]);
  await rejectsCode(t, "E_ROW", logOf("5\t1\t2\nx\t1\t2\n"), /line 2/);
  t.deepEqual(await logOf(""), []);
});
