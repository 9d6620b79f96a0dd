import type { TtError } from "@tt-rec/tensor";
import {
  Bool,
  Field,
  FixedSizeList,
  Float64,
  Int32,
  List,
  makeBuilder,
  Table,
  tableToIPC,
  Uint32,
  Utf8,
  vectorFromArray,
} from "apache-arrow";
import test from "ava";
import { countMessages } from "../src/arrow/count-messages.ts";
import { ArrowParser } from "../src/node/read-arrow.ts";
import type { ForeignTable } from "../src/node.ts";
import { readArrow } from "../src/node.ts";
import { runs, testRandom } from "./support.ts";

const TEXTS = ["red", null, "", "green", "blue", "red", "ß"];
const LISTS = [[1, -2], [], [3], [4, 5, 6], [], [7], [8, 9]];

function foreignTable(from: number, to: number): Table {
  const part = <T>(values: readonly T[]): T[] => values.slice(from, to);
  const list = makeBuilder({ type: new List(new Field("item", new Int32())), nullValues: [null] });
  for (const items of part(LISTS)) list.append(items as never);
  const pairs = makeBuilder({ type: new FixedSizeList(2, new Field("item", new Float64())), nullValues: [null] });
  for (let row = from; row < to; row++) pairs.append([row, row / 2] as never);
  return new Table({
    id: vectorFromArray(part([0, 7, 4294967295, 3, 2, 1, 9]), new Uint32()),
    wide: vectorFromArray(part([1n, 2n ** 60n, 3n, 4n, 5n, 6n, 7n])),
    text: vectorFromArray(part(TEXTS), new Utf8()),
    // The file format has one dictionary for all batches.
    ...(to - from === 7 && { dictionary: vectorFromArray(part(TEXTS)) }),
    clicked: vectorFromArray(part([true, false, null, true, true, false, true]), new Bool()),
    items: list.finish().toVector(),
    pairs: pairs.finish().toVector(),
  });
}

const whole = foreignTable(0, 7);
const batched = foreignTable(0, 3).concat(foreignTable(3, 7));

function check(
  t: { deepEqual(a: unknown, b: unknown): unknown; is(a: unknown, b: unknown): unknown },
  { rows, columns }: ForeignTable,
): void {
  t.is(rows, 7);
  const column = (name: string) => columns.find((other) => other.name === name);
  t.deepEqual([...(column("id")?.values ?? [])], [0, 7, 4294967295, 3, 2, 1, 9]);
  t.is(column("wide")?.values[1], 2n ** 60n);
  for (const name of ["text", "dictionary"].filter((name) => column(name) !== undefined)) {
    t.deepEqual(
      column(name)?.values,
      TEXTS.map((text) => text ?? ""),
    );
    t.deepEqual([...(column(name)?.valid ?? [])], [1, 0, 1, 1, 1, 1, 1]);
  }
  t.deepEqual(
    [...(column("clicked")?.values ?? [])].filter((_, row) => row !== 2),
    [1, 0, 1, 1, 0, 1],
  );
  t.deepEqual([...(column("items")?.values ?? [])], LISTS.flat());
  t.deepEqual([...(column("items")?.offsets ?? [])], [0, 2, 2, 3, 6, 6, 7, 9]);
  t.deepEqual([...(column("pairs")?.values ?? [])], [0, 0, 1, 0.5, 2, 1, 3, 1.5, 4, 2, 5, 2.5, 6, 3]);
}

test("files and streams of other writers become plain columns", async (t) => {
  for (const table of [whole, batched]) {
    for (const kind of ["file", "stream"] as const) check(t, await readArrow(tableToIPC(table, kind)));
  }
  t.deepEqual(countMessages(tableToIPC(batched, "file")), { batches: 2, rows: 7 });
});

test("what is no Arrow file is refused", async (t) => {
  const file = tableToIPC(batched, "file");
  const stream = tableToIPC(batched, "stream");
  const cases = [
    new Uint8Array(0),
    new Uint8Array(100),
    file.slice(0, -9),
    file.slice(0, 500),
    stream.slice(0, 500),
    stream.slice(0, -8),
  ];
  for (const bytes of cases)
    await t.throwsAsync(readArrow(bytes, { name: "x.arrow" }), { code: "E_CORRUPT", message: /^x\.arrow is not/ });
});

test("a file that takes too long is given up", async (t) => {
  await t.throwsAsync(readArrow(tableToIPC(whole), { timeLimit: 1 }), {
    code: "E_CORRUPT",
    message: /not parsed within 0.001 s/,
  });
});

test("a mutated Arrow file ends in a typed error or in columns that fit together, and never hangs", async (t) => {
  t.timeout(600_000);
  const random = testRandom(12);
  const parser = new ArrowParser();
  t.teardown(() => parser.close());
  const outcomes = { refused: 0, late: 0, accepted: 0 };
  for (let run = 0; run < runs(150, 3000); run++) {
    const bytes = Uint8Array.from(tableToIPC(run % 2 === 0 ? whole : batched, run % 3 === 0 ? "stream" : "file"));
    for (let change = 0; change <= run % 3; change++) {
      const at = Math.floor(random() * bytes.length);
      bytes[at] = [0, 0xff, 0x7f, bytes[at] ^ (1 << Math.floor(random() * 8)), Math.floor(random() * 256)][
        Math.floor(random() * 5)
      ];
    }
    const cut = run % 10 === 0 ? bytes.subarray(0, Math.floor(random() * bytes.length)) : bytes;
    try {
      const { rows, columns } = await parser.read(cut, { timeLimit: 2000 });
      outcomes.accepted++;
      for (const { values, offsets, valid } of columns) {
        if (valid !== undefined) t.is(valid.length, rows);
        if (offsets === undefined) t.is(values.length, rows);
        else t.deepEqual([offsets.length, offsets[rows]], [rows + 1, values.length]);
      }
    } catch (error) {
      t.is((error as TtError).code, "E_CORRUPT", String(error));
      if (/not parsed within/.test((error as TtError).message)) outcomes.late++;
      else outcomes.refused++;
    }
  }
  t.log(outcomes);
  t.true(outcomes.refused > 0 && outcomes.accepted > 0);
});
