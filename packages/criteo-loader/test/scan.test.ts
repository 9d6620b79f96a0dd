import type { TtError } from "@tt-rec/tensor";
import test from "ava";
import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { CRITEO_SCHEMA } from "../src/index.ts";
import { feature, line, randomLog, randomRow, runs, scan, scanOracle, source, testRandom } from "./support.ts";

const filled = (dense: string[], ids: string[], label = "0"): string =>
  line(label, ...dense, ...Array<string>(13 - dense.length).fill(""), ...ids, ...Array<string>(26 - ids.length).fill(""));

test("rows are those of csv-parse, with either line end and with or without the last one", async (t) => {
  const row = fc.tuple(
    fc.constantFrom("0", "1"),
    fc.array(fc.oneof(fc.constant(""), fc.integer({ min: -5, max: 2 ** 31 - 1 }).map(String), fc.constant("999999999999999")), {
      minLength: 13,
      maxLength: 13,
    }),
    fc.array(
      fc.tuple(fc.nat({ max: 2 ** 32 - 1 }), fc.integer({ min: 0, max: 8 }), fc.boolean()).map(([id, width, upper]) => {
        const hex = width === 0 ? "" : id.toString(16).padStart(width, "0");
        return upper ? hex.toUpperCase() : hex;
      }),
      { minLength: 26, maxLength: 26 },
    ),
  );
  const log = fc.tuple(fc.array(row, { minLength: 1, maxLength: 7 }), fc.constantFrom("\n", "\r\n"), fc.boolean());
  await fc.assert(
    fc.asyncProperty(log, async ([rows, lineEnd, ended]) => {
      const lines = rows.map(([label, dense, ids]) => line(label, ...dense, ...ids));
      const text = lines.join(lineEnd) + (ended ? lineEnd : "");
      const records: string[][] = parse(text, { delimiter: "\t", quote: false });
      const expected = records.map((fields) =>
        fields.map((field, column) => {
          if (column === 0) return Number(field);
          return column < 14 ? feature(Number(field)) : Number(`0x0${field}`);
        }),
      );
      t.deepEqual((await scan(source(text))).rows, expected);
    }),
    { numRuns: runs(50, 1000) },
  );
});

test("hex ids are unsigned 32-bit numbers, a missing id or number is 0, a negative number too", async (t) => {
  const text = filled(["-1", "", "7"], ["68fd1e64", "80e26c9b", "fb936136", "ffffffff", "", "0", "A"], "1");
  const [row] = (await scan(source(text))).rows;
  t.deepEqual(row.slice(0, 5), [1, 0, 0, Math.fround(Math.log(8)), 0]);
  t.deepEqual(row.slice(14, 22), [1761418852, 2162322587, 4220739894, 4294967295, 0, 0, 10, 0]);
});

/** Good rows around bad ones of every kind, one of them longer than any buffer for a line. */
const MIXED = [
  randomLog(2, 7),
  "\n",
  "0\t1\t2\n",
  randomLog(1, 8).replace("\n", "\r\n"),
  `${filled([], [])}\t\n`,
  `0\t${"1".repeat(3000)}\n`,
  `\0\x01\xff${"z".repeat(900)}\n`,
  `${filled([], [])}\rx\n`,
  randomLog(1, 9).slice(0, -1),
].join("");

test("a cut at any byte, or chunks of any size, change neither rows nor bad rows", async (t) => {
  const whole = scanOracle(MIXED);
  t.deepEqual([whole.rows.length, whole.badRows], [4, 6]);
  t.deepEqual(await scan(source(MIXED), 99), whole);
  for (let cut = 0; cut <= MIXED.length; cut++) t.deepEqual(await scan(source(MIXED, [cut]), 99), whole);
  for (const size of [1, 2, 3, 7, 64, 509]) {
    const cuts = Array.from({ length: Math.floor(MIXED.length / size) }, (_, index) => (index + 1) * size);
    t.deepEqual(await scan(source(MIXED, cuts), 99), whole);
  }
});

test("the longest good row is whole after any cut, and one byte more is refused", async (t) => {
  const longest = line(1, ...Array(13).fill("-999999999999999"), ...Array(26).fill("ffffffff"));
  const expected = scanOracle(longest);
  t.is(expected.rows.length, 1);
  const everywhere = Array.from({ length: longest.length + 2 }, (_, index) => index);
  for (const lineEnd of ["", "\n", "\r\n"]) {
    t.deepEqual(await scan(source(longest + lineEnd, everywhere.slice(0, longest.length + lineEnd.length))), expected);
  }
  for (const more of ["f", "\t", "\r", "\rx", "\r\r"]) {
    t.is((await scan(source(`${longest}${more}\r\n`, everywhere), 1)).badRows, 1, JSON.stringify(more));
  }
});

test("the place and the reason of a bad row do not depend on chunks", async (t) => {
  const long = `${randomLog(3, 3)}${filled(["12"], ["123456789"])}${"\t".repeat(2000)}\n`;
  const whole = await t.throwsAsync(scan(source(long)));
  for (let cut = 0; cut < long.length; cut += 7) {
    t.is((await t.throwsAsync(scan(source(long, [cut, cut + 1]))))?.message, whole?.message);
  }
});

test("mutated logs give exactly the rows that a regular expression accepts", async (t) => {
  const random = testRandom(11);
  for (let run = 0; run < runs(300, 34_000); run++) {
    const bytes = Buffer.from(randomLog(3, run), "latin1");
    for (let flips = 0; flips < 1 + (run % 4); flips++) {
      const interesting = [0, 9, 10, 13, 45, 48, 57, 65, 70, 71, 97, 103, 255, Math.floor(random() * 256)];
      bytes[Math.floor(random() * bytes.length)] = interesting[Math.floor(random() * interesting.length)];
    }
    const text = bytes.toString("latin1");
    t.deepEqual(await scan(source(text, [Math.floor(random() * text.length)]), 1e6), scanOracle(text), JSON.stringify(text));
  }
});

const good = randomRow(testRandom(1)).split("\t");
const changed = (column: number, value: string): string => line(...good.with(column, value));
const MALFORMED: [kind: string, row: string, column: string, message: RegExp][] = [
  ["an empty line", "", "label", /column label is not 0 or 1/],
  ["a label of 2", changed(0, "2"), "label", /column label is not 0 or 1: byte 0x32/],
  ["no label", changed(0, ""), "label", /column label is not 0 or 1/],
  ["a label of 10", changed(0, "10"), "label", /column label is not 0 or 1/],
  ["39 columns", line(...good.slice(0, 39)), "C25", /39 columns, the schema 40/],
  ["14 columns", line(...good.slice(0, 14)), "I13", /14 columns, the schema 40/],
  ["41 columns", line(...good, "0"), "C26", /more than the schema's 40 columns/],
  ["a fraction", changed(3, "1.5"), "I3", /column I3 is not a whole number: byte 0x2e/],
  ["NaN", changed(1, "NaN"), "I1", /column I1 is not a whole number: byte 0x4e/],
  ["a lone minus", changed(13, "-"), "I13", /column I13 is not a whole number/],
  ["two minuses", changed(2, "--1"), "I2", /column I2 is not a whole number/],
  ["a plus", changed(2, "+1"), "I2", /column I2 is not a whole number/],
  ["16 digits", changed(5, "1234567890123456"), "I5", /column I5 has more than 15 digits/],
  ["a letter in hex", changed(14, "68fd1eg4"), "C1", /column C1 is not hexadecimal: byte 0x67/],
  ["9 hex digits", changed(39, "123456789"), "C26", /column C26 has more than 8 hex digits/],
  ["0x in front", changed(20, "0x12"), "C7", /column C7 is not hexadecimal: byte 0x78/],
  ["a NUL byte", changed(30, "12\x0034"), "C17", /column C17 is not hexadecimal: byte 0x00/],
  ["spaces for tabs", good.join(" "), "label", /byte 0x20/],
  ["binary garbage", "\x1f\x8b\x08\x00\xff\xfe", "label", /column label is not 0 or 1: byte 0x1f/],
  ["a byte-order mark", `\xef\xbb\xbf${line(...good)}`, "label", /byte 0xef/],
  ["a carriage return within", `${line(...good)}\r\r`, "C26", /column C26 is not hexadecimal: byte 0x0d/],
];

for (const [kind, row, column, message] of MALFORMED) {
  test(`${kind} is refused with file, line and column, or skipped when allowed`, async (t) => {
    const text = `${line(...good)}\n${line(...good)}\n${row}\n${line(...good)}\n`;
    const error = await t.throwsAsync<TtError>(scan(source(text, [], "day_3.tsv")), { code: "E_ROW", message });
    t.true(error?.message.startsWith("day_3.tsv, line 3: "));
    t.deepEqual(error?.where, { file: "day_3.tsv", line: 3, column });
    const skipped = await scan(source(text), 1);
    t.deepEqual([skipped.rows.length, skipped.badRows], [3, 1]);
  });
}

test("the bad row beyond the allowance is the one that is named", async (t) => {
  const text = `x\n${line(...good)}\ny\nz\n`;
  await t.throwsAsync(scan(source(text), 2), { message: /^test.tsv, line 4: .*\(bad row 3, maxBadRows = 2\)$/ });
  t.is((await scan(source(text), 3)).rows.length, 1);
});

test("other schemas have other columns", async (t) => {
  const schema = { label: "clicked", dense: [], ids: ["user", "item"] };
  t.deepEqual((await scan(source("1\tff\t10\n0\t\ta\n"), 0, schema)).rows, [
    [1, 255, 16],
    [0, 0, 10],
  ]);
  t.is(CRITEO_SCHEMA.ids.length, 26);
});
