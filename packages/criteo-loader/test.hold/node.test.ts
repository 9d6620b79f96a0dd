import { fork } from "node:child_process";
import { createReadStream, existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { createGunzip, gzipSync } from "node:zlib";
import { memoryDirectory, type TtError } from "@tt-rec/tensor";
import { nodeDirectory } from "@tt-rec/tensor/node";
import test from "ava";
import { openDataset, prepare, verifyDataset } from "../src/index.ts";
import { logFile } from "../src/node.ts";
import { collect, randomLog, runs, snapshot, source, testRandom } from "./support.ts";

let folder: string;
test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), "criteo-loader-"));
});
test.after.always(() => rm(folder, { recursive: true, force: true }));

async function file(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

async function readLog(path: string): Promise<string> {
  return Buffer.concat(await collect(logFile(path).chunks())).toString("latin1");
}

const TEXT = randomLog(300, 1);

test("plain and compressed files give the same bytes, whatever their names, as often as asked", async (t) => {
  const plain = logFile(await file("plain.gz", TEXT));
  const compressed = logFile(await file("compressed.tsv", gzipSync(TEXT)));
  for (const log of [plain, compressed, compressed]) t.true(Buffer.concat(await collect(log.chunks())).toString() === TEXT);
  t.is(await readLog(await file("empty", "")), "");
  t.is(await readLog(await file("one", "x")), "x");
});

test("a file of several gzip members is one log", async (t) => {
  const parts = [TEXT.slice(0, 1000), TEXT.slice(1000, 1001), TEXT.slice(1001)];
  t.true((await readLog(await file("members.gz", Buffer.concat(parts.map((part) => gzipSync(part)))))) === TEXT);
});

test("a missing file and a folder are refused", async (t) => {
  const missing = join(folder, "missing");
  const error = await t.throwsAsync<TtError>(readLog(missing), { code: "E_NOT_FOUND" });
  t.is(error?.where.file, missing);
  await t.throwsAsync(readLog(folder), { code: "E_IO" });
});

test("what follows the last gzip member is refused, zeros too", async (t) => {
  const small = gzipSync(TEXT);
  // Longer than a chunk, and random so that it stays long.
  const large = gzipSync(Buffer.from(Array.from({ length: 400_000 }, testRandom(1)).map((x) => x * 256)));
  const tails = [[0], [0, 0, 0, ...small], Array(9).fill(0), [0x1f], [0x1f, 0x8b], [0x1f, 3], [...Buffer.from("garbage")]];
  for (const [size, tail] of [small, large].flatMap((gz) => tails.map((tail) => [gz.length, tail] as const))) {
    const gz = size === small.length ? small : large;
    const path = await file("tail.gz", Buffer.concat([gz, Buffer.from(tail)]));
    const outcome = await readLog(path).then(
      () => "accepted",
      (refusal: TtError) => refusal.code,
    );
    t.is(outcome, "E_CORRUPT", `${size} bytes and ${tail.slice(0, 4)}`);
  }
});

test("a compressed log that is cut short anywhere is refused", async (t) => {
  const gz = gzipSync(TEXT);
  const cuts = runs(200, 2000);
  for (let cut = 0; cut < cuts; cut++) {
    const length = 1 + Math.floor(((gz.length - 1) * cut) / cuts);
    const path = await file("cut.gz", gz.subarray(0, length));
    const code = length === 1 ? "E_ROW" : "E_CORRUPT";
    await t.throwsAsync(prepare([logFile(path)], memoryDirectory()), { code }, `${length} of ${gz.length} bytes`);
  }
});

test("a flipped bit in a compressed log is refused, or changes not one byte of it", async (t) => {
  const gz = gzipSync(TEXT);
  const random = testRandom(4);
  let refused = 0;
  const flips = runs(200, 2000);
  for (let run = 0; run < flips; run++) {
    const bytes = Buffer.from(gz);
    // All bits of the header once, then any of the others.
    const bit = run < 80 ? run : 80 + Math.floor(random() * (8 * gz.length - 80));
    bytes[bit >> 3] ^= 1 << (bit & 7);
    const path = await file("flip.gz", bytes);
    const outcome = await prepare([logFile(path)], memoryDirectory()).then(
      () => "accepted",
      (error: TtError) => error.code,
    );
    if (outcome !== "accepted") refused++;
    if (outcome === "accepted") t.true((await readLog(path)) === TEXT, `bit ${bit}`);
    // A damaged row may be met before the end of the file tells that it is damaged.
    else t.true(outcome === "E_CORRUPT" || outcome === "E_ROW", `bit ${bit}: ${outcome}`);
  }
  // The header's time, system and hints may be anything: 6 bytes and one bit.
  t.true(refused >= flips - 52, `${refused} of ${flips}`);
});

test("a file that is left early is closed", async (t) => {
  const path = await file("early.gz", gzipSync(randomLog(9000, 1)));
  const before = (await readdir("/proc/self/fd").catch(() => [])).length;
  for (let run = 0; run < 20; run++) for await (const _ of logFile(path).chunks()) break;
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.true((await readdir("/proc/self/fd").catch(() => [])).length < before + 10);
});

const SLOW = fileURLToPath(new URL("./slow-prepare.js", import.meta.url));

/** Runs prepare in a child process and kills it at a moment; returns whether it was alive then. */
function killedAt(moment: string, log: string, target: string): Promise<boolean> {
  return new Promise((resolve) => {
    const child = fork(SLOW, [log, target], { execArgv: [] });
    child.on("message", (message) => {
      if (message === moment) child.kill("SIGKILL");
    });
    child.on("exit", (_, signal) => resolve(signal === "SIGKILL"));
  });
}

test("a prepare killed at any moment leaves nothing that opens, and the next one ends well", async (t) => {
  t.timeout(60_000);
  const log = await file("slow.tsv", randomLog(1500, 2));
  const reference = memoryDirectory();
  await prepare([source(randomLog(1500, 2), [], "log")], reference, { rowsPerBatch: 64 });
  const expected = await snapshot(reference);
  const moments = process.env.TT_REC_LONG
    ? [1, 2, 3].flatMap((pass) => Array.from({ length: 15 }, (_, chunk) => `${pass}.${chunk}`))
    : ["1.3", "2.5", "3.0", "3.8", "3.14"];
  for (const moment of moments) {
    const directory = nodeDirectory(join(folder, `killed-${moment}`));
    t.true(await killedAt(moment, log, join(folder, `killed-${moment}`)), moment);
    await t.throwsAsync(openDataset(directory), { code: "E_NOT_FOUND" }, moment);
    await prepare([source(randomLog(1500, 2), [], "log")], directory, { rowsPerBatch: 64 });
    t.deepEqual(await snapshot(directory), expected);
  }
});

const DATA = process.env.TT_REC_DATA ?? fileURLToPath(new URL("../../../../../shared/data", import.meta.url));
const SAMPLE = join(DATA, "criteo-kaggle", "train.tsv.gz");

test("a real sample has the rows, the labels and the ids that readline counts", async (t) => {
  if (!existsSync(SAMPLE)) {
    t.log(`skipped: ${SAMPLE} is not there; set TT_REC_DATA to a folder of data sets`);
    t.pass();
    return;
  }
  const directory = nodeDirectory(join(folder, "kaggle"));
  const manifest = await prepare([logFile(SAMPLE)], directory);
  await verifyDataset(directory);
  const lines = createInterface({ input: Readable.from(createReadStream(SAMPLE).pipe(createGunzip())) });
  const labels: number[] = [];
  const seen = Array.from({ length: 26 }, () => new Set<string>());
  const trainRows = manifest.rows.train;
  for await (const line of lines) {
    const fields = line.split("\t");
    if (labels.length < trainRows) for (const [column, values] of seen.entries()) values.add(fields[14 + column]);
    labels.push(Number(fields[0]));
  }
  t.is(labels.length, 117_547);
  t.deepEqual(manifest.rows, { train: 100_755, test: 8396, validation: 8396 });
  t.deepEqual(
    manifest.cardinalities,
    seen.map(({ size }) => size + 1),
  );
  const dataset = await openDataset(directory);
  const read: number[] = [];
  for (const split of ["train", "test", "validation"] as const) {
    for await (const batch of dataset.batches({ split, batchSize: 2048 })) read.push(...batch.labels);
  }
  t.deepEqual(read, labels);
});

test("nothing but the Node entry point imports a module of Node", async (t) => {
  const root = fileURLToPath(new URL("../src", import.meta.url));
  const files = (await readdir(root, { recursive: true })).filter((name) => name.endsWith(".js") && name !== "node.js");
  t.true(files.length > 20);
  for (const name of files)
    t.notRegex(await readFile(join(root, name), "utf8"), /["'](node:|\.\.?\/.*node\.js|@tt-rec\/tensor\/node)/, name);
});
