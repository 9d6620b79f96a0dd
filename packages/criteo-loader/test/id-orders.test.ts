import { type Directory, memoryDirectory } from "@tt-rec/tensor";
import test from "ava";
import { openDataset, openEncoder, type PrepareOptions, prepare } from "../src/index.ts";
import { randomLog, scanOracle, snapshot, source } from "./support.ts";

const TEXT = randomLog(400, 11);
const RAW = scanOracle(TEXT).rows;

/** The training ids of each column, as indices. */
async function trainingIds(directory: Directory): Promise<number[][]> {
  const dataset = await openDataset(directory);
  const columns: number[][] = dataset.tableNames.map(() => []);
  for await (const { bags } of dataset.batches({ split: "train", batchSize: 64 })) {
    for (const [column, { indices }] of bags.entries()) columns[column].push(...indices);
  }
  return columns;
}

async function prepared(options: PrepareOptions, text = TEXT): Promise<Directory> {
  const directory = memoryDirectory();
  await prepare([source(text)], directory, options);
  return directory;
}

test("by frequency, indices follow the counts, and the unsigned raw values where these are equal", async (t) => {
  const directory = await prepared({ idOrder: "frequency", minFrequency: 2 });
  const ids = await trainingIds(directory);
  const encoder = await openEncoder(directory);
  const counts = await (await openDataset(directory)).accessCounts();
  for (const [column, indices] of ids.entries()) {
    const seen = new Map<number, number>();
    for (let row = 0; row < indices.length; row++) seen.set(RAW[row][14 + column], (seen.get(RAW[row][14 + column]) ?? 0) + 1);
    const order = [...seen].filter(([, count]) => count >= 2).sort(([a, m], [b, n]) => n - m || a - b);
    t.deepEqual(
      order.map(([value]) => encoder.encode(column, value)),
      order.map((_, place) => place + 1),
    );
    t.deepEqual(
      [...counts[column]].slice(1),
      order.map(([, count]) => count),
    );
    t.deepEqual(
      indices,
      indices.map((_, row) => encoder.encode(column, RAW[row][14 + column])),
    );
  }
});

test("by hash, indices need no dictionary: they are the same for any log, spread, and encode new ids", async (t) => {
  const options = { idOrder: "hash", hashSize: 97 } as const;
  const directory = await prepared(options);
  const dataset = await openDataset(directory);
  t.deepEqual([...dataset.cardinalities], Array(26).fill(98));
  const ids = await trainingIds(directory);
  const counts = await dataset.accessCounts();
  const encoder = await openEncoder(await prepared(options, randomLog(20, 99)));
  const values = RAW.map((row) => row[14 + 25]);
  for (const [column, indices] of ids.entries()) {
    t.deepEqual(
      indices,
      indices.map((_, row) => encoder.encode(column, RAW[row][14 + column])),
    );
    t.deepEqual(
      [...counts[column]],
      Array.from({ length: 98 }, (_, index) => indices.filter((found) => found === index).length),
    );
    t.is(counts[column][0], 0);
  }
  const distinct = new Set(values).size;
  // As many different indices as balls find bins, with room for chance.
  const expected = 97 * (1 - (1 - 1 / 97) ** distinct);
  t.true(Math.abs(new Set(values.map((value) => encoder.encode(25, value))).size - expected) < 12);
  await t.throwsAsync(prepared({ ...options, minFrequency: 2 }), {
    code: "E_OPTION",
    message: /minFrequency = 2 needs a dictionary/,
  });
  await t.throwsAsync(prepared({ idOrder: "hash" }), { code: "E_OPTION", message: /hash needs a size/ });
  await t.throwsAsync(prepared({ hashSize: 5 }), { code: "E_OPTION", message: /other orders have none/ });
});

test("by similarity, ids are renumbered and nothing else, and labels play no part", async (t) => {
  const options: PrepareOptions = { idOrder: "similarity", rowShape: (n) => [4, 4, Math.ceil(n / 16)] };
  const directory = await prepared(options);
  const [plain, ordered] = [await trainingIds(await prepared({})), await trainingIds(directory)];
  let moved = 0;
  for (const [column, indices] of plain.entries()) {
    const places = new Map<number, number>();
    for (const [row, index] of indices.entries()) {
      if (!places.has(index)) places.set(index, ordered[column][row]);
      if (places.get(index) !== index) moved++;
      t.is(places.get(index), ordered[column][row]);
    }
    t.is(new Set(places.values()).size, places.size);
  }
  t.true(moved > 1000);
  const encoder = await openEncoder(directory);
  t.is(encoder.encode(7, RAW[3][14 + 7]), ordered[7][3]);
  const flipped = TEXT.replaceAll(/^[01]/gm, (label) => (label === "0" ? "1" : "0"));
  const others = await snapshot(await prepared(options, flipped));
  for (const [name, bytes] of await snapshot(directory)) if (name.startsWith("dictionary")) t.deepEqual(others.get(name), bytes);
  await t.throwsAsync(prepared({ idOrder: "similarity" }), { code: "E_OPTION", message: /needs rowShape/ });
});
