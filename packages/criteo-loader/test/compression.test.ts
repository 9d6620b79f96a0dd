import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Directory, memoryDirectory, sealJson } from "@tt-rec/tensor";
import { nodeDirectory } from "@tt-rec/tensor/node";
import { CompressionType, compressionRegistry, type Table, tableFromIPC } from "apache-arrow";
import test from "ava";
import { loadZstd } from "../src/arrow/zstd.ts";
import { type DatasetBatch, openDataset, type PrepareOptions, prepare, type RowSource, verifyDataset } from "../src/index.ts";
import { MANIFEST_FORMAT } from "../src/manifest/manifest.ts";
import { readManifest } from "../src/manifest/read-manifest.ts";
import { logFile, prepareFiles } from "../src/node.ts";
import { collect, digests, directoryOf, randomLog, snapshot, source, testRandom } from "./support.ts";

const SCHEMA = { label: "y", dense: ["a", "b"], ids: ["user", "tags", "item"], wide: ["user", "tags"], lists: ["tags"] };
const ROWS = 1009;

/** Rows of which the first 200 have no tags: a record batch may hold empty lists only. */
const rows: RowSource = {
  name: "rows",
  async *blocks() {
    const random = testRandom(5);
    const pick = (count: number): number => Math.floor(random() * count);
    const offsets = new Uint32Array(ROWS + 1);
    for (let row = 0; row < ROWS; row++) offsets[row + 1] = offsets[row] + (row < 200 ? 0 : pick(4));
    yield {
      rows: ROWS,
      labels: Uint8Array.from({ length: ROWS }, () => pick(2)),
      dense: Float32Array.from({ length: 2 * ROWS }, (_, i) => (i % 2 === 0 ? pick(5) : random())),
      ids: [
        { words: Uint32Array.from({ length: 2 * ROWS }, () => pick(7)) },
        { words: Uint32Array.from({ length: 2 * offsets[ROWS] }, () => pick(11)), offsets },
        { words: Uint32Array.from({ length: ROWS }, () => pick(2 ** 32)) },
      ],
    };
  },
};

async function prepared(compression: PrepareOptions["compression"], rowsPerBatch = 97): Promise<Directory> {
  const directory = memoryDirectory();
  const given = compression !== undefined && { compression };
  await prepare([rows], directory, { schema: SCHEMA, days: 2, rowsPerBatch, ...given });
  return directory;
}

async function batches(directory: Directory, shuffle: boolean): Promise<DatasetBatch[]> {
  const dataset = await openDataset(directory);
  const all = (["train", "test", "validation"] as const).map((split) =>
    collect(dataset.batches({ split, batchSize: 53, shuffle, seed: 3 })),
  );
  return (await Promise.all(all)).flat();
}

/** The columns as apache-arrow's own reader finds them. */
const columns = (table: Table): string[] =>
  table.schema.fields.map(({ name }) => `${name}: ${JSON.stringify([...(table.getChild(name) ?? [])].map(String))}`);

test("a compressed data set gives the batches of an uncompressed one, in fewer bytes", async (t) => {
  // A record batch of one row is so short that buffers are stored as they are.
  for (const rowsPerBatch of [97, 1, 2000]) {
    const [plain, packed] = [await prepared("none", rowsPerBatch), await prepared("zstd", rowsPerBatch)];
    for (const shuffle of [false, true]) t.deepEqual(await batches(packed, shuffle), await batches(plain, shuffle));
    const [from, to] = [await readManifest(plain), await readManifest(packed)];
    t.is(to.options.compression, "zstd");
    t.deepEqual(to.dictionaries, from.dictionaries);
    if (rowsPerBatch > 1) for (const [i, { byteLength }] of to.files.entries()) t.true(byteLength < from.files[i].byteLength);
  }
});

test("without compression, no byte of a data set tells that there is one", async (t) => {
  const expected = await snapshot(await prepared(undefined));
  t.deepEqual(await snapshot(await prepared("none")), expected);
  t.false(Buffer.from(expected.get("manifest.json") as Uint8Array).includes("compression"));
});

test("apache-arrow's own reader finds the same numbers, and another codec in its registry changes no byte", async (t) => {
  const { compress, decompress } = await loadZstd();
  compressionRegistry.set(CompressionType.ZSTD, {
    encode: (bytes) => compress(Uint8Array.from(bytes).fill(7)),
    decode: decompress,
  });
  const [plain, packed] = [await snapshot(await prepared("none")), await snapshot(await prepared("zstd"))];
  for (const [name, bytes] of plain) {
    if (!name.endsWith(".arrow")) continue;
    t.deepEqual(columns(tableFromIPC(packed.get(name) as Uint8Array)), columns(tableFromIPC(bytes)), name);
  }
});

test("threads and memory give the same compressed bytes; another compression starts anew", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "tt-rec-zstd-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const log = join(folder, "log.tsv");
  await nodeDirectory(folder).commit("log.tsv", Buffer.from(randomLog(2003, 5)));
  const reference = memoryDirectory();
  await prepare([source(randomLog(2003, 5), [], log)], reference, { rowsPerBatch: 256, compression: "zstd" });
  for (const threads of [1, 2]) {
    const target = join(folder, `threads-${threads}`);
    // What this run leaves is of another compression.
    const stop = (): never => {
      throw new Error("stopped");
    };
    const onProgress: PrepareOptions["onProgress"] = ({ pass, rows }) => (pass === "encode" && rows > 0 ? stop() : undefined);
    await t.throwsAsync(prepareFiles([logFile(log)], target, { rowsPerBatch: 256, threads, onProgress }), { message: "stopped" });
    await prepareFiles([logFile(log)], target, { rowsPerBatch: 256, threads, compression: "zstd" });
    t.deepEqual(await digests(nodeDirectory(target)), await digests(reference));
  }
});

test("a flipped bit in compressed files is found by verifyDataset, and never used", async (t) => {
  const directory = await prepared("zstd");
  await verifyDataset(directory);
  const files = await snapshot(directory);
  const random = testRandom(9);
  for (const [name, bytes] of files) {
    if (!name.endsWith(".arrow")) continue;
    const { batches: regions } = (await readManifest(directory)).files.find((file) => file.name === name) ?? { batches: [] };
    for (const { offset, byteLength } of regions) {
      const damaged = Uint8Array.from(bytes);
      damaged[offset + Math.floor(random() * byteLength)] ^= 1 << Math.floor(random() * 8);
      const copy = await directoryOf(new Map(files).set(name, damaged));
      await t.throwsAsync(verifyDataset(copy), { code: "E_CORRUPT", message: /does not match its checksum/ });
      await t.throwsAsync(batches(copy, false), { code: "E_CORRUPT", message: /does not match its checksum/ });
    }
  }
});

/** The data set with other bytes in its first record batch, or another compression, under right checksums. */
async function resealed(directory: Directory, change: (batch: Uint8Array) => void, compression: unknown): Promise<Directory> {
  const files = await snapshot(directory);
  const manifest = await readManifest(directory);
  const [first, ...others] = manifest.files;
  const [{ offset, byteLength }] = first.batches;
  const bytes = Uint8Array.from(files.get(first.name) as Uint8Array);
  change(bytes.subarray(offset, offset + byteLength));
  const hash = async (part: Uint8Array): Promise<string> =>
    Buffer.from(await crypto.subtle.digest("SHA-256", Uint8Array.from(part))).toString("hex");
  const region = { ...first.batches[0], sha256: await hash(bytes.subarray(offset, offset + byteLength)) };
  const file = { ...first, sha256: await hash(bytes), batches: [region, ...first.batches.slice(1)] };
  const sealed = await directoryOf(new Map(files).set(first.name, bytes));
  const options = { ...manifest.options, compression };
  await sealed.commit("manifest.json", await sealJson(MANIFEST_FORMAT, { ...manifest, options, files: [file, ...others] }));
  return sealed;
}

test("compressed bytes with right checksums but other content end in typed errors", async (t) => {
  const [plain, packed] = [await prepared("none", 2000), await prepared("zstd", 2000)];
  const keep = (): void => undefined;
  const MAGIC = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
  const cases: [Directory, change: (batch: Uint8Array) => void, compression: unknown, message: RegExp][] = [
    [packed, (batch) => batch.fill(0, Buffer.from(batch).indexOf(MAGIC), -1), "zstd", /cannot be decoded: /],
    [
      packed,
      (batch) => batch.fill(3, Buffer.from(batch).indexOf(MAGIC) - 8, Buffer.from(batch).indexOf(MAGIC) - 7),
      "zstd",
      /once decompressed/,
    ],
    [packed, keep, "none", /it is compressed, unlike what the manifest says/],
    [plain, keep, "zstd", /it is not compressed, unlike what the manifest says/],
    [packed, keep, "lz4", /compression = "lz4" is not one of none, zstd/],
  ];
  for (const [directory, change, compression, message] of cases) {
    const sealed = await resealed(directory, change, compression);
    await t.throwsAsync(batches(sealed, false), { code: "E_CORRUPT", message }, String(message));
  }
  t.deepEqual(await batches(await resealed(plain, keep, "none"), false), await batches(plain, false));
  await t.throwsAsync(prepared("gzip" as "zstd"), { code: "E_OPTION", message: /compression = "gzip" is not one of/ });
});

test("a buffer that is too long for zstd's memory stays as it is", async (t) => {
  const { compress } = await loadZstd();
  const long = new Uint8Array(2 ** 28 + 1);
  t.is(compress(long), long);
});
