import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Directory, memoryDirectory } from "@tt-rec/tensor";
import { nodeDirectory } from "@tt-rec/tensor/node";
import { tableFromIPC } from "apache-arrow";
import test from "ava";
import { type DatasetBatch, openDataset, openEncoder, type PrepareOptions, prepare, type RowSource } from "../src/index.ts";
import { prepareFiles } from "../src/node.ts";
import type { IdOrder } from "../src/order/id-order.ts";
import { runPipeline } from "../src/prepare/pipeline.ts";
import { memoryWorkplace } from "../src/prepare/workplace.ts";
import { collect, digests, runs, snapshot, testRandom, source as textSource } from "./support.ts";

const SCHEMA = {
  label: "clicked",
  dense: ["price", "age"],
  ids: ["user", "tags", "item"],
  wide: ["user", "tags"],
  lists: ["tags"],
};
const ROWS = 331;

/** A row as plain values: label, dense, a user of 64 bits, some tags of 64 bits, an item of 32. */
interface PlainRow {
  readonly label: number;
  readonly dense: readonly number[];
  readonly user: bigint;
  readonly tags: readonly bigint[];
  readonly item: number;
}

const random = testRandom(21);
const pick = (count: number): number => Math.floor(random() * count);
/** Keys that share their low or their high word with others. */
const key = (count: number): bigint => (BigInt(pick(3)) << 32n) | BigInt(pick(count) * 0x10001);
const PLAIN: PlainRow[] = Array.from({ length: ROWS }, (_, row) => ({
  label: row % 3 === 0 ? 1 : 0,
  dense: [row, random()],
  user: key(29),
  tags: Array.from({ length: pick(5) }, () => key(13)),
  item: pick(2 ** 32),
}));

const words = (keys: readonly bigint[]): Uint32Array =>
  Uint32Array.from(keys.flatMap((value) => [Number(value & 0xffffffffn), Number(value >> 32n)]));

/** A source of typed rows in blocks of this many. */
function rowSource(rows: readonly PlainRow[], blockRows: number, name = "rows"): RowSource {
  return {
    name,
    async *blocks() {
      for (let from = 0; from < rows.length; from += blockRows) {
        const block = rows.slice(from, from + blockRows);
        const offsets = [0];
        for (const { tags } of block) offsets.push(offsets[offsets.length - 1] + tags.length);
        yield {
          rows: block.length,
          labels: Uint8Array.from(block, ({ label }) => label),
          dense: Float32Array.from(block.flatMap(({ dense }) => dense)),
          ids: [
            { words: words(block.map(({ user }) => user)) },
            { words: words(block.flatMap(({ tags }) => tags)), offsets: Uint32Array.from(offsets) },
            { words: Uint32Array.from(block, ({ item }) => item) },
          ],
        };
      }
    },
  };
}

/** Index of each key by its first appearance in the training rows, with those seen too rarely left out. */
function numbering<T>(keys: readonly T[], minFrequency: number): Map<T, number> {
  const counts = new Map<T, number>();
  for (const value of keys) counts.set(value, (counts.get(value) ?? 0) + 1);
  return new Map([...counts].filter(([, count]) => count >= minFrequency).map(([value], index) => [value, index + 1]));
}

type EncodedRow = readonly [label: number, dense: readonly number[], user: number, tags: readonly number[], item: number];

function encodeOracle(train: readonly PlainRow[], rows: readonly PlainRow[], minFrequency: number): EncodedRow[] {
  const user = numbering(
    train.map((row) => row.user),
    minFrequency,
  );
  const tag = numbering(
    train.flatMap((row) => row.tags),
    minFrequency,
  );
  const item = numbering(
    train.map((row) => row.item),
    minFrequency,
  );
  return rows.map((row) => [
    row.label,
    row.dense.map(Math.fround),
    user.get(row.user) ?? 0,
    row.tags.map((value) => tag.get(value) ?? 0),
    item.get(row.item) ?? 0,
  ]);
}

const encodedRows = ({ size, labels, dense, bags }: DatasetBatch): EncodedRow[] =>
  Array.from({ length: size }, (_, i) => {
    const offsets = bags[1].offsets ?? [];
    return [
      labels[i],
      [...dense.subarray(2 * i, 2 * i + 2)],
      bags[0].indices[i],
      [...bags[1].indices.subarray(offsets[i], offsets[i + 1])],
      bags[2].indices[i],
    ];
  });

async function readSplit(
  directory: Directory,
  split: "train" | "test" | "validation",
  batchSize: number,
  more: object = {},
): Promise<EncodedRow[]> {
  const batches = await collect((await openDataset(directory)).batches({ split, batchSize, ...more }));
  for (const { size, bags } of batches) {
    if (bags[1].offsets?.length !== size + 1 || bags[1].offsets[0] !== 0) throw new Error("offsets do not fit");
    if (bags[1].offsets[size] !== bags[1].indices.length) throw new Error("a list is cut");
  }
  return batches.flatMap(encodedRows);
}

const RULES: [name: string, options: PrepareOptions, ranges: readonly (readonly [number, number])[]][] = [
  [
    "days",
    { days: 3 },
    [
      [0, 221],
      [221, 276],
      [276, 331],
    ],
  ],
  [
    "fractions",
    { split: { by: "fractions", test: 0.1, validation: 0.2 } },
    [
      [0, 232],
      [232, 265],
      [265, 331],
    ],
  ],
  [
    "ranges, the training rows in the middle",
    { split: { by: "ranges", train: [57, 200], test: [0, 41], validation: [290, 331] }, minFrequency: 2 },
    [
      [57, 200],
      [0, 41],
      [290, 331],
    ],
  ],
];
for (const [name, options, ranges] of RULES) {
  test(`64-bit keys and lists are encoded as plain maps do, split by ${name}`, async (t) => {
    const [train, ...others] = ranges.map(([from, to]) => PLAIN.slice(from, to));
    for (const [blockRows, rowsPerBatch] of [
      [7, 19],
      [64, 5],
      [1000, 300],
    ]) {
      const directory = memoryDirectory();
      const manifest = await prepare([rowSource(PLAIN, blockRows)], directory, { schema: SCHEMA, rowsPerBatch, ...options });
      for (const [i, split] of (["train", "test", "validation"] as const).entries()) {
        const expected = encodeOracle(train, [train, ...others][i], options.minFrequency ?? 1);
        t.deepEqual(await readSplit(directory, split, 11), expected, split);
      }
      t.deepEqual(manifest.schema, SCHEMA);
      const counts = await (await openDataset(directory)).accessCounts();
      for (const [column, histogram] of manifest.histograms.entries()) {
        const kept = [...counts[column]].slice(1);
        t.deepEqual(
          histogram,
          histogram.map((_, power) => kept.filter((count) => count >= 2 ** power && count < 2 ** (power + 1)).length),
        );
        t.is(
          histogram.reduce((sum, ids) => sum + ids, 0),
          kept.length,
        );
      }
    }
  });
}

test("list columns are Arrow lists", async (t) => {
  const directory = memoryDirectory();
  await prepare([rowSource(PLAIN, 50)], directory, { schema: SCHEMA, days: 2, rowsPerBatch: 40 });
  const files = await snapshot(directory);
  const table = tableFromIPC(files.get("train-0.arrow") as Uint8Array);
  t.deepEqual(table.schema.fields.map(String), [
    "label: Uint8",
    "dense: FixedSizeList[2]<Float32>",
    "user: Uint32",
    "tags: List<Uint32>",
    "item: Uint32",
  ]);
  const expected = encodeOracle(PLAIN.slice(0, 166), PLAIN.slice(0, 166), 1).map(([, , , tags]) => tags);
  t.deepEqual(
    Array.from({ length: table.numRows }, (_, row) => [...(table.getChild("tags")?.get(row) ?? [])]),
    expected,
  );
});

test("shuffled lists stay whole, and no batch differs after a resume", async (t) => {
  const directory = memoryDirectory();
  await prepare([rowSource(PLAIN, 50)], directory, { schema: SCHEMA, days: 2, rowsPerBatch: 8 });
  const sorted = (rows: readonly EncodedRow[]): string[] => rows.map((row) => JSON.stringify(row)).sort();
  const plain = await readSplit(directory, "train", 9);
  const shuffled = await readSplit(directory, "train", 9, { shuffle: "total", seed: 3 });
  t.notDeepEqual(shuffled, plain);
  t.deepEqual(sorted(shuffled), sorted(plain));
  for (const start of [0, 1, 5, 18, 19, 40]) {
    t.deepEqual(await readSplit(directory, "train", 9, { shuffle: "total", seed: 3, start }), shuffled.slice(9 * start));
  }
});

test("the shuffle of days keeps each day in its place", async (t) => {
  const directory = memoryDirectory();
  await prepare([rowSource(PLAIN, 50)], directory, { schema: SCHEMA, days: 5, rowsPerBatch: 4 });
  const rows = (await readSplit(directory, "train", 10, { shuffle: "day", seed: 1 })).map(([, [row]]) => row);
  const days = [67, 66, 66, 66];
  let from = 0;
  for (const day of days) {
    const own = rows.slice(from, from + day);
    const sorted = Array.from({ length: day }, (_, i) => from + i);
    t.deepEqual(
      [...own].sort((a, b) => a - b),
      sorted,
    );
    t.notDeepEqual(own, sorted);
    from += day;
  }
});

test("dropped negatives are about their share, the same under every shuffle, and others each epoch", async (t) => {
  const many = Array.from({ length: 12 }, () => PLAIN).flat();
  const directory = memoryDirectory();
  await prepare([rowSource(many, 500)], directory, { schema: SCHEMA, days: 2, rowsPerBatch: 100 });
  const read = (more: object): Promise<EncodedRow[]> =>
    readSplit(directory, "train", 32, { dropNegatives: 0.875, seed: 5, ...more });
  const all = await readSplit(directory, "train", 32);
  const kept = await read({});
  const negatives = (rows: readonly EncodedRow[]): number => rows.filter(([label]) => label === 0).length;
  t.is(kept.length - negatives(kept), all.length - negatives(all), "no positive is dropped");
  const expected = negatives(all) / 8;
  t.true(Math.abs(negatives(kept) - expected) < 5 * Math.sqrt((expected * 7) / 8), `${negatives(kept)} of ${negatives(all)}`);
  const sorted = (rows: readonly EncodedRow[]): string[] => rows.map((row) => JSON.stringify(row)).sort();
  t.deepEqual(sorted(await read({ shuffle: true })), sorted(kept));
  t.notDeepEqual(await read({ epoch: 1 }), kept);
  for (const shuffle of [false, true]) {
    const whole = await read({ shuffle });
    for (const start of [1, 7, 22, 99]) t.deepEqual(await read({ shuffle, start }), whole.slice(32 * start));
  }
  const dataset = await openDataset(directory);
  for (const dropNegatives of [-0.1, 1, Number.NaN]) {
    t.throws(() => dataset.batches({ split: "train", batchSize: 1, dropNegatives }), { code: "E_OPTION" });
  }
});

test("64-bit keys are encoded for new data, unknown ones as 0", async (t) => {
  const directory = memoryDirectory();
  await prepare([rowSource(PLAIN, 50)], directory, { schema: SCHEMA, days: 2, maxIndexRange: 100_003 });
  const encoder = await openEncoder(directory);
  const users = numbering(
    PLAIN.slice(0, 166).map(({ user }) => user),
    1,
  );
  const asked = [...PLAIN.map(({ user }) => user), 2n ** 64n - 1n, 1n << 40n];
  const expected = asked.map((value) => users.get(value) ?? 0);
  t.deepEqual(
    asked.map((value) => encoder.encode(0, value)),
    expected,
  );
  t.deepEqual([...encoder.encodeColumn(0, words(asked))], expected);
  t.is(encoder.encode(2, PLAIN[0].item), 1);
  for (const value of [-1n, 2n ** 64n, 0.5]) t.throws(() => encoder.encode(0, value), { code: "E_INDEX" });
});

test("an id order renumbers rows and dictionaries, and learns from training rows without their labels", async (t) => {
  const options = { schema: SCHEMA, days: 2, rowsPerBatch: 16 };
  const plain = memoryDirectory();
  await prepare([rowSource(PLAIN, 50)], plain, options);
  const learned = { rows: 0, keys: new Set<string>() };
  const backwards: IdOrder = async ({ rows, cardinalities, dictionary, blocks }) => {
    for await (const block of blocks()) {
      learned.rows += block.rows;
      for (const name of Object.keys(block)) learned.keys.add(name);
    }
    t.is(rows, 166);
    t.is((await dictionary(2)).counts.length, cardinalities[2]);
    return cardinalities.map((count, column) =>
      column === 1 ? undefined : Uint32Array.from({ length: count }, (_, index) => (index === 0 ? 0 : count - index)),
    );
  };
  const ordered = memoryDirectory();
  const { cardinalities } = await runPipeline([rowSource(PLAIN, 50)], options, memoryWorkplace(ordered), () => backwards);
  t.is(learned.rows, 166);
  t.deepEqual([...learned.keys].sort(), ["dense", "ids", "rows"]);
  const turned = (index: number, column: number): number => (index === 0 ? 0 : cardinalities[column] - index);
  for (const split of ["train", "test"] as const) {
    const expected = (await readSplit(plain, split, 20)).map(([label, dense, user, tags, item]) => [
      label,
      dense,
      turned(user, 0),
      tags,
      turned(item, 2),
    ]);
    t.deepEqual(await readSplit(ordered, split, 20), expected as unknown as EncodedRow[]);
  }
  const [before, after] = [await openEncoder(plain), await openEncoder(ordered)];
  for (const { user, item } of PLAIN) {
    t.is(after.encode(0, user), turned(before.encode(0, user), 0));
    t.is(after.encode(2, item), turned(before.encode(2, item), 2));
  }
  const counts = [await openDataset(plain), await openDataset(ordered)].map((dataset) => dataset.accessCounts());
  const [own, moved] = await Promise.all(counts);
  t.deepEqual([...moved[0]], [own[0][0], ...own[0].slice(1).reverse()]);
});

test("partitions give the same bytes for 64-bit keys and lists", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "criteo-rows-"));
  const count = runs(40_000, 400_000);
  const rows = Array.from({ length: count }, (_, row) => ({
    ...PLAIN[row % ROWS],
    user: key(30_000),
    tags: [key(30_000), key(9)],
  }));
  try {
    const options = { schema: SCHEMA, minFrequency: 2, threads: 1 };
    const [parts, whole] = [join(folder, "parts"), join(folder, "whole")];
    await prepareFiles([rowSource(rows, 5000)], parts, { ...options, memory: 2 ** 20 });
    await prepareFiles([rowSource(rows, 777)], whole, { ...options, memory: 2 ** 30 });
    t.deepEqual(await digests(nodeDirectory(parts)), await digests(nodeDirectory(whole)));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("a list column without its offsets is refused, and a log has neither lists nor wide columns", async (t) => {
  const source = rowSource(PLAIN, 50);
  const broken: RowSource = {
    name: "broken",
    async *blocks(schema, state) {
      for await (const block of source.blocks(schema, state)) yield { ...block, ids: block.ids.map(({ words }) => ({ words })) };
    },
  };
  await t.throwsAsync(prepare([broken], memoryDirectory(), { schema: SCHEMA }), { code: "E_OFFSETS" });
  const log = { ...textSource(""), name: "log" };
  await t.throwsAsync(prepare([log], memoryDirectory(), { schema: SCHEMA }), { code: "E_OPTION", message: /wide or list/ });
});

for (const [message, split] of [
  [/test and train share row 150/, { by: "ranges", train: [150, 200], test: [100, 151], validation: [0, 0] }],
  [/ends at row 332, the log has 331/, { by: "ranges", train: [0, 100], test: [100, 332], validation: [0, 0] }],
  [/training range is empty/, { by: "ranges", train: [5, 5], test: [100, 151], validation: [0, 0] }],
  [/none is left for training/, { by: "fractions", test: 0.5, validation: 0.5 }],
] as const) {
  test(`a split is refused: ${message.source}`, async (t) => {
    const rows = split.by === "fractions" ? PLAIN.slice(0, 2) : PLAIN;
    await t.throwsAsync(prepare([rowSource(rows, 50)], memoryDirectory(), { schema: SCHEMA, split }), {
      code: "E_OPTION",
      message,
    });
  });
}
