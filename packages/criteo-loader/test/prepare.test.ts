import { type Directory, memoryDirectory, TtError } from "@tt-rec/tensor";
import test from "ava";
import fc from "fast-check";
import { openDataset, openEncoder, type PrepareOptions, prepare, type Split } from "../src/index.ts";
import { dayRows, planSplit } from "../src/prepare/split-rows.ts";
import { collect, randomLog, runs, scanOracle, snapshot, source, testRandom } from "./support.ts";

test("Criteo Kaggle's 45,840,617 rows split into DLRM's days, test and validation", (t) => {
  const days = dayRows(45_840_617, 7);
  t.deepEqual(days, [6_548_660, 6_548_660, 6_548_660, 6_548_660, 6_548_659, 6_548_659, 6_548_659]);
  const sizes = (validationShare: number): number[] => {
    const { train, test, validation } = planSplit([45_840_617], { by: "days", days: 7, validationShare }).splits;
    return [train, test, validation].map(({ from, to }) => to - from);
  };
  t.deepEqual(sizes(0.5), [39_291_958, 3_274_330, 3_274_329]);
  t.deepEqual(sizes(0), [39_291_958, 6_548_659, 0]);
});

test("days are contiguous and cover all rows", (t) => {
  fc.assert(
    fc.property(fc.nat({ max: 10_000 }), fc.integer({ min: 2, max: 40 }), (rows, days) => {
      const counts = dayRows(rows, days);
      t.is(
        counts.reduce((sum, count) => sum + count, 0),
        rows,
      );
      t.true(Math.max(...counts) - Math.min(...counts) <= 1);
      t.deepEqual(
        counts,
        [...counts].sort((a, b) => b - a),
      );
    }),
    { numRuns: runs(50, 2000) },
  );
});

interface Expected {
  readonly rows: Record<Split, number[][]>;
  readonly cardinalities: number[];
  readonly counts: number[][];
}

/** What a data set must hold, from plain maps and arrays. */
function prepareOracle(text: string, trainRows: number, testRows: number, minFrequency: number, range: number): Expected {
  const all = scanOracle(text).rows.map((row) => row.map((value, column) => (column < 14 ? value : value % range)));
  const maps: Map<number, number>[] = [];
  const counts: number[][] = [];
  for (let column = 0; column < 26; column++) {
    const seen = new Map<number, number>();
    for (const row of all.slice(0, trainRows)) seen.set(row[14 + column], (seen.get(row[14 + column]) ?? 0) + 1);
    const kept = [...seen].filter(([, count]) => count >= minFrequency);
    maps.push(new Map(kept.map(([value], index) => [value, index + 1])));
    const keptCounts = kept.map(([, count]) => count);
    counts.push([trainRows - keptCounts.reduce((a, b) => a + b, 0), ...keptCounts]);
  }
  const encoded = all.map((row) =>
    row.map((value, column) => {
      return column < 14 ? value : (maps[column - 14].get(value) ?? 0);
    }),
  );
  const rows = {
    train: encoded.slice(0, trainRows),
    test: encoded.slice(trainRows, trainRows + testRows),
    validation: encoded.slice(trainRows + testRows),
  };
  return { rows, cardinalities: maps.map((map) => map.size + 1), counts };
}

async function readAll(directory: Directory, split: Split, batchSize: number): Promise<number[][]> {
  const dataset = await openDataset(directory);
  const rows: number[][] = [];
  for await (const { size, labels, dense, bags } of dataset.batches({ split, batchSize })) {
    for (let i = 0; i < size; i++) {
      rows.push([labels[i], ...dense.subarray(i * 13, (i + 1) * 13), ...bags.map(({ indices }) => indices[i])]);
    }
  }
  return rows;
}

const CASES: [name: string, options: PrepareOptions, train: number, test: number][] = [
  ["the defaults", {}, 149, 13],
  ["three days and no validation", { days: 3, validationShare: 0, rowsPerBatch: 17 }, 116, 57],
  ["a minimum frequency", { minFrequency: 7, rowsPerBatch: 5 }, 149, 12],
  ["a range of raw ids", { maxIndexRange: 1009, validationShare: 0.25 }, 149, 18],
  ["validation only", { validationShare: 1, days: 2 }, 87, 0],
];
for (const [name, options, trainRows, testRows] of CASES) {
  test(`a data set holds what plain maps give, with ${name}`, async (t) => {
    const text = randomLog(173, 3);
    const directory = memoryDirectory();
    const manifest = await prepare([source(text)], directory, options);
    const rows = { train: manifest.rows.train, test: manifest.rows.test };
    const expected = prepareOracle(text, rows.train, rows.test, options.minFrequency ?? 1, options.maxIndexRange ?? 2 ** 32);
    t.is(
      rows.train,
      dayRows(173, (options.days as number) ?? 7)
        .slice(0, -1)
        .reduce((a, b) => a + b, 0),
    );
    t.true(Math.abs(rows.train - trainRows) <= 1 && Math.abs(rows.test - testRows) <= 1, JSON.stringify(rows));
    t.deepEqual(manifest.cardinalities, expected.cardinalities);
    const dataset = await openDataset(directory);
    t.deepEqual(
      (await dataset.accessCounts()).map((counts) => [...counts]),
      expected.counts,
    );
    for (const split of ["train", "test", "validation"] as const) {
      t.deepEqual(await readAll(directory, split, 11), expected.rows[split], split);
      const names = (await directory.list()).filter((name) => name.startsWith(`${split}-`));
      t.is(names.length > 0, expected.rows[split].length > 0);
    }
  });
}

test("numbers are ln(x + 1) in float32: missing and negative 0, 1, 3 and 181 as DLRM's", async (t) => {
  const ids = Array(26).fill("").join("\t");
  const row = `1\t\t-2\t0\t1\t3\t181${"\t".repeat(7)}\t${ids}\n`;
  const directory = memoryDirectory();
  await prepare([source(row.repeat(2))], directory, { days: 2 });
  const [first] = await readAll(directory, "train", 1);
  const expected = [0, 0, 0, Math.LN2, 1.386294, 5.204007];
  t.true(expected.every((value, index) => Math.abs(first[1 + index] - value) < 1e-6));
  t.deepEqual(first.slice(14), Array(26).fill(1));
});

test("files are days under days = files", async (t) => {
  const sources = [source(randomLog(5, 1), [], "a"), source(randomLog(7, 2), [], "b"), source(randomLog(4, 3), [], "c")];
  const manifest = await prepare(sources, memoryDirectory(), { days: "files" });
  t.deepEqual(manifest.rows, { train: 12, test: 2, validation: 2 });
  t.deepEqual(manifest.sources, [
    { name: "a", rows: 5 },
    { name: "b", rows: 7 },
    { name: "c", rows: 4 },
  ]);
});

test("the bytes of a data set do not depend on how the log arrives in chunks", async (t) => {
  const text = randomLog(61, 4);
  const reference = memoryDirectory();
  await prepare([source(text)], reference, { rowsPerBatch: 13 });
  const expected = await snapshot(reference);
  const random = testRandom(8);
  for (let run = 0; run < runs(30, 1000); run++) {
    const cuts = Array.from({ length: 1 + (run % 50) }, () => Math.floor(random() * text.length)).sort((a, b) => a - b);
    const directory = memoryDirectory();
    await prepare([source(text, cuts)], directory, { rowsPerBatch: 13 });
    t.deepEqual(await snapshot(directory), expected);
  }
});

test("bad rows are counted in the manifest and change nothing else", async (t) => {
  const clean = memoryDirectory();
  const dirty = memoryDirectory();
  await prepare([source(randomLog(20, 1) + randomLog(20, 2))], clean);
  const manifest = await prepare([source(`${randomLog(20, 1)}junk\n1\t2\n${randomLog(20, 2)}\n`)], dirty, { maxBadRows: 3 });
  t.is(manifest.badRows, 3);
  t.deepEqual((await snapshot(dirty)).get("train-0.arrow"), (await snapshot(clean)).get("train-0.arrow"));
});

test("new data is encoded as the training rows were; unknown ids are 0", async (t) => {
  const text = randomLog(90, 6);
  const directory = memoryDirectory();
  await prepare([source(text)], directory, { maxIndexRange: 50_021, minFrequency: 2 });
  const encoder = await openEncoder(directory);
  const encoded = [...(await readAll(directory, "train", 64)), ...(await readAll(directory, "test", 64))];
  const raw = scanOracle(text).rows;
  for (const [row, values] of encoded.entries()) {
    t.deepEqual(
      raw[row].slice(14).map((value, column) => encoder.encode(column, value)),
      values.slice(14),
    );
  }
  t.is(encoder.encode(3, 50_020), 0);
  t.throws(() => encoder.encode(26, 1), { code: "E_INDEX", message: /table 26/ });
  for (const value of [-1, 1.5, 2 ** 32, Number.NaN]) t.throws(() => encoder.encode(0, value), { code: "E_INDEX" });
});

test("progress is told for each pass", async (t) => {
  const text = randomLog(40);
  const seen: string[] = [];
  await prepare([source(text)], memoryDirectory(), {
    onProgress: ({ pass, rows, total, bytes }) => seen.push(`${pass} ${rows} of ${total} ${bytes}`),
  });
  t.is(seen[0], `scan 40 of undefined ${text.length}`);
  t.deepEqual([seen[1], seen[27], seen[35]], ["learn 0 of 40 0", "learn 40 of 40 0", "encode 40 of 40 0"]);
  t.is(seen.length, 36, "one scan, 26 columns and the start, 8 files");
});

test("options outside their range are refused before anything is read", async (t) => {
  const untouched = { name: "x", chunks: () => t.fail("the source was read") as never };
  const bad: PrepareOptions[] = [
    { days: 1 },
    { days: 2.5 },
    { days: "files" },
    { validationShare: -0.1 },
    { validationShare: Number.NaN },
    { minFrequency: 0 },
    { maxIndexRange: 0 },
    { maxIndexRange: 2 ** 33 },
    { maxBadRows: -1 },
    { rowsPerBatch: 0 },
    { days: 3, split: { by: "fractions", test: 0.1, validation: 0.1 } },
    { split: { by: "fractions", test: 0.6, validation: 0.6 } },
    { split: { by: "ranges", train: [0, 5], test: [9, 7], validation: [0, 0] } },
    { split: { by: "weeks" } as never },
    { idOrder: "random" as never },
    { schema: { label: "y", dense: [], ids: ["a"], lists: ["b"] } },
    { schema: { label: "y", dense: ["a"], ids: [] } },
    { schema: { label: "y", dense: ["a"], ids: ["a"] } },
    { schema: { label: "", dense: [], ids: ["a"] } },
  ];
  for (const options of bad) {
    await t.throwsAsync(prepare([untouched], memoryDirectory(), options), { code: "E_OPTION" }, JSON.stringify(options));
  }
  await t.throwsAsync(prepare([], memoryDirectory()), { code: "E_OPTION" });
});

test("a source without rows, or too few rows for the days, is refused", async (t) => {
  const error = await t.throwsAsync<TtError>(prepare([source(randomLog(9)), source("", [], "b.tsv")], memoryDirectory()), {
    code: "E_EMPTY",
  });
  t.is(error?.where.file, "b.tsv");
  await t.throwsAsync(prepare([source("junk\n")], memoryDirectory(), { maxBadRows: 9 }), {
    code: "E_EMPTY",
    message: /no good row/,
  });
  await t.throwsAsync(prepare([source(randomLog(6))], memoryDirectory()), { code: "E_OPTION", message: /6 rows .* 7 days/ });
});

test("a data set is replaced only when asked, and a bad log leaves the old one as it was", async (t) => {
  const directory = memoryDirectory();
  await prepare([source(randomLog(30, 1))], directory);
  const old = await snapshot(directory);
  await t.throwsAsync(prepare([source(randomLog(30, 2))], directory), { code: "E_EXISTS" });
  await t.throwsAsync(prepare([source("junk")], directory, { replace: true }), { code: "E_ROW" });
  t.deepEqual(await snapshot(directory), old);
  await prepare([source(randomLog(30, 2))], directory, { replace: true, validationShare: 0 });
  t.deepEqual(await directory.list(), [
    ...Array.from({ length: 26 }, (_, column) => `dictionary-${String(column).padStart(2, "0")}.safetensors`),
    "manifest.json",
    "test-6.arrow",
    ...[0, 1, 2, 3, 4, 5].map((day) => `train-${day}.arrow`),
  ]);
  t.is((await openDataset(directory)).rows("validation"), 0);
  t.deepEqual(await collect((await openDataset(directory)).batches({ split: "validation", batchSize: 2 })), []);
});

/** A directory whose N-th writing call fails, a commit in the middle of its content. */
function failingDirectory(inner: Directory, failing: number): Directory {
  let calls = 0;
  return {
    list: () => inner.list(),
    read: (name) => inner.read(name),
    digest: (name) => inner.digest(name),
    async commit(name, content) {
      if (++calls !== failing) return inner.commit(name, content);
      if (!(content instanceof Uint8Array)) for await (const _ of content) break;
      throw new TtError("E_IO", "the disk is full");
    },
    async remove(name) {
      if (++calls === failing) throw new TtError("E_IO", "the disk is read-only");
      await inner.remove(name);
    },
  };
}

test("whichever writing call fails, nothing opens afterwards, and a second run gives the same bytes", async (t) => {
  const log = source(randomLog(70, 5));
  const reference = memoryDirectory();
  await prepare([log], reference, { rowsPerBatch: 8 });
  const expected = await snapshot(reference);
  for (const replaced of [false, true]) {
    let failures = 0;
    for (let failing = 1; ; failing++) {
      const inner = memoryDirectory();
      if (replaced) await prepare([source(randomLog(33, 9))], inner, { validationShare: 0 });
      const old = await snapshot(inner);
      const outcome = await prepare([log], failingDirectory(inner, failing), { rowsPerBatch: 8, replace: replaced }).then(
        () => "done",
        (error: TtError) => error.code,
      );
      if (outcome === "done") break;
      failures++;
      t.is(outcome, "E_IO");
      // Before the old manifest is gone nothing of the old data set is touched.
      if (replaced && failing === 1) t.deepEqual(await snapshot(inner), old);
      else await t.throwsAsync(openDataset(inner), { code: "E_NOT_FOUND" });
      await prepare([log], inner, { rowsPerBatch: 8, replace: replaced });
      t.deepEqual(await snapshot(inner), expected);
    }
    t.is(failures, replaced ? 69 : 36, "26 dictionaries, 8 files, the manifest, and removing each file of an older data set");
  }
});
