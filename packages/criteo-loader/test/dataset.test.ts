import { type Directory, isTtError, memoryDirectory, sealJson, type TtError } from "@tt-rec/tensor";
import { tableFromIPC } from "apache-arrow";
import test from "ava";
import fc from "fast-check";
import { planWindows } from "../src/dataset/window-plan.ts";
import { type DatasetBatch, openDataset, openEncoder, prepare, type Split, verifyDataset } from "../src/index.ts";
import { checkManifest } from "../src/manifest/check-manifest.ts";
import { MANIFEST_FORMAT } from "../src/manifest/manifest.ts";
import { readManifest } from "../src/manifest/read-manifest.ts";
import { collect, directoryOf, runs, snapshot, source, testRandom } from "./support.ts";

const SCHEMA = { label: "y", dense: ["a", "b", "c"], ids: ["u", "v", "w", "x", "z"] };
const ROWS = 211;

/** A small data set whose third number and first id name the row. */
async function numbered(rowsPerBatch: number, rows: number = ROWS): Promise<Directory> {
  const random = testRandom(2);
  const text = Array.from({ length: rows }, (_, row) => {
    const id = (count: number): string => Math.floor(random() * count).toString(16);
    return `${row % 3 === 0 ? 1 : 0}\t\t-1\t${row}\t${row.toString(16)}\t${id(7)}\t${id(90)}\t${id(4000)}\t\n`;
  }).join("");
  const directory = memoryDirectory();
  await prepare([source(text)], directory, { schema: SCHEMA, days: 2, validationShare: 0.3, rowsPerBatch });
  return directory;
}

/** Row numbers of a batch, read back from the logarithm. */
const rowNumbers = ({ size, dense }: DatasetBatch): number[] =>
  Array.from({ length: size }, (_, i) => Math.round(Math.exp(dense[3 * i + 2]) - 1));

test("batches of any size cut across record batches and hold the rows in order", async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 130 }), fc.integer({ min: 1, max: 130 }), async (rowsPerBatch, batchSize) => {
      const dataset = await openDataset(await numbered(rowsPerBatch));
      const batches = await collect(dataset.batches({ split: "train", batchSize }));
      t.deepEqual(
        batches.flatMap(rowNumbers),
        Array.from({ length: 106 }, (_, row) => row),
      );
      t.true(batches.slice(0, -1).every(({ size }) => size === batchSize));
      for (const { size, labels, dense, bags } of batches) {
        t.deepEqual([labels.length, dense.length, bags.length], [size, 3 * size, 5]);
        t.true(bags.every(({ indices }) => indices.length === size && indices instanceof Uint32Array));
      }
      const labels = batches.flatMap((batch) => [...batch.labels]);
      t.deepEqual(
        labels,
        Array.from({ length: 106 }, (_, row) => (row % 3 === 0 ? 1 : 0)),
      );
      t.deepEqual(
        batches.flatMap(({ bags }) => [...bags[0].indices]),
        Array.from({ length: 106 }, (_, row) => row + 1),
      );
    }),
    { numRuns: runs(20, 500) },
  );
});

test("a data set tells its rows, tables and columns", async (t) => {
  const dataset = await openDataset(await numbered(16));
  t.deepEqual(
    (["train", "test", "validation"] as const).map((split) => dataset.rows(split)),
    [106, 74, 31],
  );
  t.deepEqual(dataset.tableNames, SCHEMA.ids);
  t.deepEqual([dataset.denseFeatures, dataset.cardinalities[0]], [3, 107]);
  const counts = await dataset.accessCounts();
  t.deepEqual(
    counts.map(({ length }) => length),
    [...dataset.cardinalities],
  );
  t.true(counts.every((count) => count.reduce((sum, n) => sum + n, 0) === 106));
});

test("a shuffled epoch visits every row once, each epoch and seed in an order of its own", async (t) => {
  const dataset = await openDataset(await numbered(5));
  const order = async (seed: number, epoch: number, batchSize = 17): Promise<number[]> =>
    (await collect(dataset.batches({ split: "train", batchSize, shuffle: true, seed, epoch }))).flatMap(rowNumbers);
  const orders = [await order(1, 0), await order(1, 1), await order(2, 0)];
  for (const rows of orders)
    t.deepEqual(
      [...rows].sort((a, b) => a - b),
      Array.from({ length: 106 }, (_, row) => row),
    );
  t.is(new Set(orders.map(String)).size, 3);
  t.deepEqual(await order(1, 0), orders[0]);
  t.deepEqual(await order(1, 0, 3), orders[0], "the order does not depend on the batch size");
  // Windows of eight record batches of five rows: rows of far apart places must meet.
  t.true(Math.max(...orders[0].slice(0, 17)) - Math.min(...orders[0].slice(0, 17)) > 40);
});

test("labels and ids stay with their row when rows are shuffled", async (t) => {
  const dataset = await openDataset(await numbered(7));
  const byRow = async (shuffle: boolean): Promise<Map<number, number[]>> => {
    const found = new Map<number, number[]>();
    for await (const batch of dataset.batches({ split: "train", batchSize: 10, shuffle, seed: 5 })) {
      for (const [i, row] of rowNumbers(batch).entries()) {
        found.set(row, [batch.labels[i], ...batch.bags.map(({ indices }) => indices[i])]);
      }
    }
    return found;
  };
  const [plain, shuffled] = [await byRow(false), await byRow(true)];
  for (const [row, values] of plain) t.deepEqual(shuffled.get(row), values);
});

test("a run resumed at any batch gives the batches of an uninterrupted one", async (t) => {
  for (const rowsPerBatch of [3, 10, 300]) {
    const dataset = await openDataset(await numbered(rowsPerBatch));
    for (const shuffle of [false, true]) {
      for (const batchSize of [7, 53, 200]) {
        const options = { split: "train" as const, batchSize, shuffle, seed: 9, epoch: 4 };
        const all = await collect(dataset.batches(options));
        for (let start = 0; start <= all.length + 2; start++) {
          t.deepEqual(await collect(dataset.batches({ ...options, start })), all.slice(start));
        }
      }
    }
  }
});

test("all places of a window are reached about equally often", (t) => {
  const hits = new Float64Array(20);
  for (let epoch = 0; epoch < 4000; epoch++) {
    const [window] = planWindows([[{ file: 0, batch: 0, rows: 20 }]], "total", 3, epoch);
    hits[window.permutation?.()[0] ?? -1]++;
  }
  // Binomial(4000, 1/20): five standard deviations are 69.
  t.true(
    hits.every((count) => Math.abs(count - 200) < 69),
    `${hits}`,
  );
});

test("the next window is read while the consumer works, and no further", async (t) => {
  const inner = await numbered(5);
  let reads = 0;
  const counting: Directory = {
    ...inner,
    async read(name) {
      const file = await inner.read(name);
      const slice = (start: number, end: number): Promise<Uint8Array> => {
        if (name === "train-0.arrow") reads++;
        return file.slice(start, end);
      };
      return { byteLength: file.byteLength, slice };
    },
  };
  const dataset = await openDataset(counting);
  const batches = dataset.batches({ split: "train", batchSize: 5 })[Symbol.asyncIterator]();
  t.is(reads, 0);
  await batches.next();
  t.is(reads, 2);
  await batches.next();
  t.is(reads, 3);
  await batches.return?.();
  t.is(reads, 3);
});

test("options outside their range are refused at the call", async (t) => {
  const dataset = await openDataset(await numbered(5));
  const good = { split: "train" as const, batchSize: 5 };
  const bad = [{ batchSize: 0 }, { batchSize: 1.5 }, { start: -1 }, { seed: -1 }, { seed: 2 ** 32 }, { epoch: 0.5 }];
  for (const wrong of bad) t.throws(() => dataset.batches({ ...good, ...wrong }), { code: "E_OPTION" });
  t.throws(() => dataset.batches({ ...good, split: "all" as Split }), { code: "E_OPTION" });
  t.throws(() => dataset.rows("all" as Split), { code: "E_OPTION" });
});

test("the files are Arrow: apache-arrow's own file reader finds the same columns", async (t) => {
  const files = await snapshot(await numbered(16));
  const table = tableFromIPC(files.get("train-0.arrow") as Uint8Array);
  t.deepEqual(
    table.schema.fields.map((field) => String(field)),
    ["label: Uint8", "dense: FixedSizeList[3]<Float32>", ...SCHEMA.ids.map((name) => `${name}: Uint32`)],
  );
  t.is(table.numRows, 106);
  t.is(table.batches.length, 7);
  const row = table.get(20)?.toJSON() as { label: number; dense: Iterable<number>; u: number };
  t.deepEqual([row.label, [...row.dense][2], row.u], [0, Math.fround(Math.log(21)), 21]);
});

/** Opens a data set and reads all of it; the error's code if it is refused. */
async function readEverything(directory: Directory): Promise<TtError | undefined> {
  try {
    const dataset = await openDataset(directory);
    for (const split of ["train", "test", "validation"] as const) await collect(dataset.batches({ split, batchSize: 64 }));
    await dataset.accessCounts();
    await openEncoder(directory);
  } catch (error) {
    if (!isTtError(error)) throw error;
    return error;
  }
  return undefined;
}

test("a flipped bit anywhere in an Arrow file or the dictionaries is refused by verifyDataset, and never used", async (t) => {
  const files = await snapshot(await numbered(16));
  const clean = await readManifest(await directoryOf(files));
  const random = testRandom(3);
  for (let run = 0; run < runs(300, 5000); run++) {
    const name = ["train-0.arrow", "test-1.arrow", "validation-1.arrow", "dictionary-02.safetensors"][run % 4];
    const bytes = Uint8Array.from(files.get(name) as Uint8Array);
    const byte = Math.floor(random() * bytes.length);
    bytes[byte] ^= 1 << Math.floor(random() * 8);
    const directory = await directoryOf(new Map(files).set(name, bytes));
    const refused = await t.throwsAsync<TtError>(verifyDataset(directory), { code: "E_CORRUPT" }, `${name} byte ${byte}`);
    t.is(refused?.where.file, name);
    const batches = clean.files.find((file) => file.name === name)?.batches;
    const hit = batches?.findIndex(({ offset, byteLength }) => byte >= offset && byte < offset + byteLength) ?? -1;
    const error = await readEverything(directory);
    // Arrow's own header and footer are not read; all else is refused.
    if (batches !== undefined && hit < 0) t.is(error, undefined);
    else t.is(error?.code, "E_CORRUPT");
    if (hit >= 0) t.regex(error?.message ?? "", new RegExp(`^${name}, record batch ${hit} `));
  }
});

test("a flipped bit anywhere in the manifest is refused", async (t) => {
  t.timeout(600_000);
  const files = await snapshot(await numbered(32));
  const original = files.get("manifest.json") as Uint8Array;
  const step = process.env.TT_REC_LONG ? 1 : 13;
  for (let bit = 0; bit < 8 * original.length; bit += step) {
    const bytes = Uint8Array.from(original);
    bytes[bit >> 3] ^= 1 << (bit & 7);
    const directory = await directoryOf(new Map(files).set("manifest.json", bytes));
    const error = await t.throwsAsync<TtError>(openDataset(directory), undefined, `bit ${bit}`);
    t.true(error?.code === "E_CORRUPT" || error?.code === "E_VERSION", `bit ${bit}: ${error?.message}`);
  }
});

test("a file that is cut short, longer or missing is refused when the data set is opened or verified", async (t) => {
  const files = await snapshot(await numbered(32));
  for (const [name, bytes] of files) {
    for (let length = 0; length < bytes.length; length += 1 + Math.floor(bytes.length / 25)) {
      const directory = await directoryOf(new Map(files).set(name, bytes.slice(0, length)));
      await t.throwsAsync(verifyDataset(directory), { code: "E_CORRUPT" }, `${name} of ${length} bytes`);
      if (name.endsWith(".arrow"))
        await t.throwsAsync(openDataset(directory), { code: "E_CORRUPT", message: /bytes, the manifest/ });
    }
    const longer = new Uint8Array(bytes.length + 1);
    longer.set(bytes);
    const directory = await directoryOf(new Map(files).set(name, longer));
    await t.throwsAsync(verifyDataset(directory), { code: "E_CORRUPT" });
    await directory.remove(name);
    await t.throwsAsync(openDataset(directory), { code: name === "manifest.json" ? "E_NOT_FOUND" : "E_CORRUPT" });
  }
});

test("files of another data set under the same names are refused", async (t) => {
  const files = await snapshot(await numbered(32));
  const other = await snapshot(await numbered(32, ROWS - 1));
  for (const name of files.keys()) {
    const directory = await directoryOf(new Map(files).set(name, other.get(name) as Uint8Array));
    if (Buffer.compare(files.get(name) as Uint8Array, other.get(name) as Uint8Array) === 0) continue;
    await t.throwsAsync(verifyDataset(directory), { code: "E_CORRUPT" }, name);
  }
});

test("a newer version, another format and what is no JSON are refused as such", async (t) => {
  const files = await snapshot(await numbered(32));
  const text = Buffer.from(files.get("manifest.json") as Uint8Array).toString();
  const opened = async (manifest: string): Promise<unknown> =>
    openDataset(await directoryOf(new Map(files).set("manifest.json", Buffer.from(manifest))));
  await t.throwsAsync(opened(text.replace('"version": 2', '"version": 3')), {
    code: "E_VERSION",
    message: /version 3; .* version 2/,
  });
  await t.throwsAsync(opened(text.replace("tt-rec-dataset", "other")), { code: "E_CORRUPT", message: /format is "other"/ });
  for (const broken of ["", "{", "[]", "null", "7", `${text} `, text.slice(0, -1), text.replace("{", '{"rows": 0,')]) {
    await t.throwsAsync(opened(broken), { code: "E_CORRUPT" }, broken.slice(0, 20));
  }
});

test("a manifest with a right checksum but wrong content is refused with what is wrong", async (t) => {
  const directory = await numbered(32);
  const clean = await readManifest(directory);
  const [file] = clean.files;
  const withFile = (change: object): object => ({ ...clean, files: [{ ...file, ...change }, ...clean.files.slice(1)] });
  const cases: [object, RegExp][] = [
    [{ ...clean, extra: 1 }, /manifest has an unknown field "extra"/],
    [{ ...clean, files: undefined }, /lacks the field "files"|files = undefined/],
    [{ ...clean, cardinalities: [1, 2] }, /number of cardinalities = 2 .* 5/],
    [{ ...clean, cardinalities: clean.cardinalities.with(2, 0) }, /cardinalities\[2\] = 0/],
    [{ ...clean, badRows: -1 }, /badRows = -1/],
    [{ ...clean, rows: { ...clean.rows, train: 105 } }, /rows\.train = 105 is not what options\.split gives/],
    [{ ...clean, sources: [{ name: "x", rows: 5 }] }, /rows\.train = 106 is not what options\.split gives/],
    [{ ...clean, sources: {} }, /sources = \{\} is not a list/],
    [{ ...clean, schema: { ...clean.schema, ids: ["u", "u", "w", "x", "z"] } }, /two columns "u"/],
    [{ ...clean, options: { ...clean.options, split: { by: "days", days: 1, validationShare: 0.3 } } }, /days = 1/],
    [{ ...clean, options: { ...clean.options, rowsPerBatch: "8" } }, /options\.rowsPerBatch = "8"/],
    [{ ...clean, options: { ...clean.options, split: { by: "days" } } }, /options\.split lacks the field "days"/],
    [{ ...clean, options: { ...clean.options, split: { by: "ranges", train: 1, test: 2, validation: 3 } } }, /split\.train = 1/],
    [{ ...clean, options: { ...clean.options, idOrder: "none" } }, /idOrder = "none"/],
    [{ ...clean, histograms: clean.histograms.with(1, [91, 2]) }, /histograms\[1\] = \[91,2\]/],
    [
      { ...clean, dictionaries: clean.dictionaries.with(1, { ...clean.dictionaries[1], name: "../x" }) },
      /dictionaries\[1\]\.name = "\.\.\/x"/,
    ],
    [{ ...clean, files: clean.files.slice(1) }, /number of files = 2/],
    [withFile({ name: "../train-0.arrow" }), /files\[0\]\.name = "\.\.\/train-0\.arrow"/],
    [withFile({ sha256: "00" }), /files\[0\]\.sha256 = "00"/],
    [withFile({ byteLength: 10 }), /files\[0\]\.byteLength = 10/],
    [withFile({ batches: [] }), /files\[0\]\.rows = 106 is not the rows of its batches, 0/],
    [withFile({ batches: file.batches.toSpliced(1, 1) }), /offset = \d+ is not the end of the batch before/],
    [withFile({ batches: file.batches.with(0, { ...file.batches[0], rows: 31 }) }), /rows = 31 is not options\.rowsPerBatch, 32/],
    [withFile({ batches: file.batches.with(0, { ...file.batches[0], offset: Number.POSITIVE_INFINITY }) }), /offset = null/],
  ];
  for (const [manifest, message] of cases) {
    await directory.commit("manifest.json", await sealJson(MANIFEST_FORMAT, manifest));
    await t.throwsAsync(openDataset(directory), { code: "E_CORRUPT", message }, String(message));
  }
  const polluted = JSON.parse('{"__proto__": {"polluted": true}}');
  t.throws(() => checkManifest(polluted), { code: "E_CORRUPT", message: /unknown field "__proto__"/ });
});

test("bytes with right checksums but other content are refused, not decoded into something else", async (t) => {
  const directory = await numbered(300);
  const manifest = await readManifest(directory);
  const files = await snapshot(directory);
  const { name } = manifest.files[0];
  const resealed = async (bytes: Uint8Array, cardinalities = manifest.cardinalities): Promise<Directory> => {
    const sealed = await directoryOf(new Map(files).set(name, bytes));
    const hash = async (part: Uint8Array): Promise<string> => {
      const digest = await crypto.subtle.digest("SHA-256", part as Uint8Array<ArrayBuffer>);
      return Buffer.from(digest).toString("hex");
    };
    const histograms = cardinalities.map(() => []);
    const [batch] = manifest.files[0].batches;
    const part = bytes.slice(batch.offset, batch.offset + batch.byteLength);
    const batches = [{ ...batch, sha256: await hash(part) }];
    const listed = [{ ...manifest.files[0], sha256: await hash(bytes), batches }, ...manifest.files.slice(1)];
    await sealed.commit(
      "manifest.json",
      await sealJson(MANIFEST_FORMAT, { ...manifest, cardinalities, histograms, files: listed }),
    );
    return sealed;
  };
  const train = files.get(name) as Uint8Array;
  t.is(await readEverything(await resealed(train)), undefined);
  const garbage = Uint8Array.from(train).fill(0, manifest.files[0].batches[0].offset);
  t.regex((await readEverything(await resealed(garbage)))?.message ?? "", /train-0\.arrow, record batch 0 .* cannot be decoded/);
  const small = await openDataset(await resealed(train, manifest.cardinalities.with(1, 2)));
  await t.throwsAsync(collect(small.batches({ split: "train", batchSize: 9 })), {
    code: "E_CORRUPT",
    message: /record batch 0 .* holds index \d+ in table 1 of 2 rows/,
  });
});
