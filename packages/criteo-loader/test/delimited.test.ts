import test from "ava";
import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { delimitedSource, parseTableSchema, type TableSchema } from "../src/index.ts";
import { RecordFields, scanRecord } from "../src/table/scan-record.ts";
import { runs, source } from "./support.ts";
import { rowsOf } from "./table-support.ts";

/** All records of a text, scanned in one piece; a malformed one is null. */
function records(text: string, delimiter: string, quote: string): (string[] | null)[] {
  const bytes = Buffer.from(text);
  const fields = new RecordFields();
  const dialect = { delimiter: delimiter.charCodeAt(0), quote: quote === "" ? -1 : quote.charCodeAt(0) };
  const found: (string[] | null)[] = [];
  for (let at = 0; at < bytes.length; ) {
    at = scanRecord(bytes, at, bytes.length, true, dialect, fields);
    const texts = Array.from({ length: fields.count }, (_, i) => bytes.toString("utf8", fields.starts[i], fields.ends[i]));
    found.push(fields.fault === undefined ? texts : null);
  }
  return found;
}

test("records are those of csv-parse, quoted or not, and malformed where it refuses them", (t) => {
  const piece = fc.constantFrom("a", "bc", '"', '""', ",", "\t", "\n", "\r\n", "é", " ");
  const text = fc.array(piece, { minLength: 1, maxLength: 14 }).map((pieces) => pieces.join(""));
  let refused = 0;
  const cases = fc.record({ text, delimiter: fc.constantFrom(",", "\t"), quote: fc.constantFrom('"', "") });
  fc.assert(
    fc.property(cases, ({ text, delimiter, quote }) => {
      let expected: string[][] | undefined;
      try {
        expected = parse(text, {
          delimiter,
          quote: quote === "" ? false : quote,
          record_delimiter: ["\n", "\r\n"],
          relax_column_count: true,
        });
      } catch {
        refused++;
      }
      const found = records(text, delimiter, quote);
      if (expected === undefined) t.true(found.includes(null), JSON.stringify(text));
      else t.deepEqual(found, expected, JSON.stringify(text));
    }),
    { numRuns: runs(2000, 100_000) },
  );
  t.true(refused > 0);
});

const SCHEMA = parseTableSchema(
  JSON.stringify({
    label: "clicked",
    dense: ["age", { column: "price", transform: "none" }],
    ids: ["city", { column: "item", type: "integer" }, { column: "tags", list: "|" }, { column: "device", type: "hex" }],
  }),
);
const TEXT =
  "device,clicked,price,age,unused,city,tags,item\r\n" +
  "ff,1,-2.5,1,x,Rome,red|blue,7\n" +
  '0A,0,1e2,,"a ""quoted"", one\nin two lines","Rome",,4294967295\n' +
  ',1,,-3,,"",red,\n';

test("columns are found by name, and every kind of value is read", async (t) => {
  const rows = await rowsOf(delimitedSource(source(TEXT), SCHEMA), SCHEMA);
  const rome = rows[0].ids[0];
  const [red, blue] = [rows[0].ids[2].slice(0, 2), rows[0].ids[2].slice(2)];
  t.is(rome.length, 2);
  t.notDeepEqual(red, blue);
  t.deepEqual(rows, [
    { label: 1, dense: [Math.fround(Math.LN2), -2.5], ids: [rome, [7], [...red, ...blue], [255]] },
    { label: 0, dense: [0, 100], ids: [rome, [4294967295], [], [10]] },
    { label: 1, dense: [0, 0], ids: [[0, 0], [0], red, [0]] },
  ]);
  // xxHash64 of "Rome" with seed 0.
  const { default: xxhash } = await import("xxhash-wasm");
  t.is((BigInt(rome[1]) << 32n) | BigInt(rome[0]), (await xxhash()).h64("Rome"));
});

test("rows do not depend on how the bytes arrive, with a byte order mark, tabs or other characters too", async (t) => {
  const expected = await rowsOf(delimitedSource(source(TEXT), SCHEMA), SCHEMA);
  for (let cut = 0; cut <= TEXT.length; cut++) {
    t.deepEqual(await rowsOf(delimitedSource(source(TEXT, [cut, Math.min(TEXT.length, cut + 3)]), SCHEMA), SCHEMA), expected);
  }
  t.deepEqual(await rowsOf(delimitedSource(source(Buffer.from(`\ufeff${TEXT}`)), SCHEMA), SCHEMA), expected);
  const other: TableSchema = { ...SCHEMA, delimiter: ";", quote: "'" };
  const retold = TEXT.replaceAll(",", ";").replaceAll('"', "'");
  t.deepEqual(await rowsOf(delimitedSource(source(retold), other), other), expected);
  const tabs = 'clicked\titem\tage\tprice\tcity\ttags\tdevice\n0\t3\t1\t2\t"Rome"\ta\tb\n';
  const [row] = await rowsOf(delimitedSource(source(tabs), SCHEMA), SCHEMA);
  t.notDeepEqual(row.ids[0], expected[0].ids[0], "behind tabs a quote is a character");
});

test("bad rows are refused with file, line and column, and skipped as far as allowed", async (t) => {
  const header = "clicked,age,price,city,item,tags,device\n";
  const good = "1,2,3,Rome,4,a|b,c\n";
  const bad: [string, RegExp, string | undefined][] = [
    ["1,2,3,Rome,4,a|b\n", /line 3: the row has 6 columns, the header 7/, undefined],
    ["2,2,3,Rome,4,a|b,c\n", /line 3: column clicked is not 0 or 1: "2" was found/, "clicked"],
    ["1,x,3,Rome,4,a|b,c\n", /column age is not a number: "x"/, "age"],
    ["1,1e999,3,Rome,4,a|b,c\n", /column age is not a number/, "age"],
    ["1,2,NaN,Rome,4,a|b,c\n", /column price is not a number/, "price"],
    ["1,2,3,Rome,4294967296,a|b,c\n", /column item is not a whole number of 0 to 4294967295/, "item"],
    ["1,2,3,Rome,-1,a|b,c\n", /column item/, "item"],
    ["1,2,3,Rome,4,a|b,g\n", /column device is not up to 8 hexadecimal digits/, "device"],
    ['1,2,3,Ro"me,4,a|b,c\n', /a quote is inside a field that does not start with one/, undefined],
    ['1,2,3,"Rome"x,4,a|b,c\n', /a closing quote is followed by other text/, undefined],
    ["\n", /the row has 1 columns/, undefined],
  ];
  for (const [line, message, column] of bad) {
    const text = header + good + line + good;
    const error = await t.throwsAsync<Error & { where?: object }>(rowsOf(delimitedSource(source(text), SCHEMA), SCHEMA), {
      code: "E_ROW",
      message,
    });
    t.like(error?.where, { file: "test.tsv", line: 3, ...(column && { column }) });
    const kept = await rowsOf(delimitedSource(source(text), SCHEMA), SCHEMA, 1);
    t.deepEqual(kept, await rowsOf(delimitedSource(source(header + good + good), SCHEMA), SCHEMA), line);
  }
  const header2 = "clicked,age,price,city,item,tags\n";
  await t.throwsAsync(rowsOf(delimitedSource(source(header2 + good), SCHEMA), SCHEMA), {
    message: /line 1: there is no column "device"/,
  });
  const twice = "age,clicked,age,price,city,item,tags,device\n";
  await t.throwsAsync(rowsOf(delimitedSource(source(twice), SCHEMA), SCHEMA), { message: /two columns "age"/ });
  const open = `${header}1,2,3,"${"x".repeat(5 << 20)}`;
  await t.throwsAsync(rowsOf(delimitedSource(source(open, [1 << 20]), SCHEMA), SCHEMA, 9), {
    code: "E_ROW",
    message: /longer than/,
  });
});

test("a schema file is checked, and its mistakes are named", (t) => {
  const bad: [unknown, RegExp][] = [
    ["{", /not JSON/],
    [[], /the schema = \[\] is not an object/],
    [{ ids: ["a"] }, /neither a label nor negatives/],
    [{ label: "y" }, /no id column/],
    [{ label: "y", ids: ["a"], odd: 1 }, /unknown key "odd"/],
    [{ label: "y", ids: ["a", "a"] }, /two columns "a"/],
    [{ label: 1, ids: ["a"] }, /label = 1 is not a text/],
    [{ label: "y", ids: [{ column: "a", type: "int" }] }, /ids\[0\]\.type = "int" is not one of text, integer, hex/],
    [{ label: "y", ids: [{ column: "a", list: "ab" }] }, /ids\[0\]\.list = "ab" is not one printable/],
    [{ label: "y", ids: [{ column: "a", list: 3 }] }, /ids\[0\]\.list = 3/],
    [{ label: "y", ids: ["a"], dense: [{ column: "d", transform: "sqrt" }] }, /dense\[0\]\.transform/],
    [{ label: "y", ids: ["a"], delimiter: ",", quote: "," }, /another character than quote/],
    [{ label: "y", ids: ["a", "b"], negatives: { user: "a", item: "b", perPositive: 1 } }, /a label and negatives/],
    [{ ids: ["a", "b"], negatives: { user: "a", item: "c", perPositive: 1 } }, /negatives.item = "c" is not an id column/],
    [{ ids: ["a", "b"], negatives: { user: "a", item: "a", perPositive: 1 } }, /another column than/],
    [{ ids: ["a", "b"], negatives: { user: "a", item: "b", perPositive: 0 } }, /perPositive = 0/],
    [{ ids: ["a", "b"], negatives: { user: "a", item: "b", perPositive: 1, seed: -1 } }, /seed = -1/],
  ];
  for (const [schema, message] of bad) {
    t.throws(() => parseTableSchema(typeof schema === "string" ? schema : JSON.stringify(schema)), { code: "E_OPTION", message });
  }
  const listed: TableSchema = { label: "y", dense: [], ids: [{ column: "a", type: "text", list: true }] };
  t.throws(() => delimitedSource(source("y,a\n"), listed), { code: "E_OPTION", message: /separator/ });
});
