import { fork } from "node:child_process";
import { cpSync, createReadStream, existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createGunzip, gzipSync } from "node:zlib";
import { memoryDirectory, type TtError } from "@tt-rec/tensor";
import { nodeDirectory } from "@tt-rec/tensor/node";
import test from "ava";
import { openDataset, prepare, verifyDataset } from "../src/index.ts";
import { logFile, prepareFiles } from "../src/node.ts";
import { collect, digests, randomLog, runs, scan, snapshot, source, testRandom } from "./support.ts";

let testFolder: string;
test.before(async () => {
  testFolder = await mkdtemp(join(tmpdir(), "criteo-loader-"));
});
test.after.always(() => rm(testFolder, { recursive: true, force: true }));

async function file(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(testFolder, name);
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
  const missing = join(testFolder, "missing");
  const error = await t.throwsAsync<TtError>(readLog(missing), { code: "E_NOT_FOUND" });
  t.is(error?.where.file, missing);
  await t.throwsAsync(readLog(testFolder), { code: "E_IO" });
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
    await t.throwsAsync(scan(logFile(path)), { code }, `${length} of ${gz.length} bytes`);
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
    const outcome = await scan(logFile(path)).then(
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

test.serial("a file that is left early is closed", async (t) => {
  const path = await file("early.gz", gzipSync(randomLog(9000, 1)));
  const openFiles = async (): Promise<number> => (await readdir("/proc/self/fd").catch(() => [])).length;
  const before = await openFiles();
  for (let run = 0; run < 20; run++) for await (const _ of logFile(path).chunks()) break;
  // Closing takes as long as the machine is busy; a file that is never closed stays open.
  for (let wait = 0; wait < 100 && (await openFiles()) >= before + 10; wait++) await delay(50);
  t.true((await openFiles()) < before + 10);
});

const CHILD = fileURLToPath(new URL("./killed-prepare.js", import.meta.url));

/** Runs prepare in a child process that is killed at its n-th step, or after some milliseconds; tells whether it was alive then. */
function killed(at: { milliseconds: number } | { step: number }, target: string, logs: readonly string[]): Promise<boolean> {
  return new Promise((resolve) => {
    const child = fork(CHILD, [target, "step" in at ? String(at.step) : "none", ...logs], { execArgv: [] });
    if ("milliseconds" in at) setTimeout(() => child.kill("SIGKILL"), at.milliseconds);
    child.on("exit", (_, signal) => resolve(signal === "SIGKILL"));
  });
}

test("a prepare killed at any moment opens as nothing, and the next one goes on to the same bytes", async (t) => {
  t.timeout(600_000);
  const texts = [randomLog(700, 2), randomLog(900, 3)];
  const logs = [await file("a.tsv", texts[0]), await file("b.gz", gzipSync(texts[1]))];
  const options = { rowsPerBatch: 64, minFrequency: 2 };
  const reference = memoryDirectory();
  await prepare(
    texts.map((text, i) => source(text, [], logs[i])),
    reference,
    options,
  );
  const expected = await digests(reference);
  const random = testRandom(6);
  // A step is a block read, a column learned, a file written.
  const moments = process.env.TT_REC_LONG
    ? [
        ...Array.from({ length: 37 }, (_, step) => ({ step: step + 1 })),
        ...Array.from({ length: 20 }, () => ({ milliseconds: 50 + Math.floor(1500 * random()) })),
      ]
    : [{ step: 1 }, { step: 9 }, { step: 34 }];
  let alive = 0;
  for (const [run, moment] of moments.entries()) {
    const folder = join(testFolder, `killed-${run}`);
    if (await killed(moment, folder, logs)) alive++;
    else t.true("milliseconds" in moment, JSON.stringify(moment));
    const directory = nodeDirectory(folder);
    const isComplete = (await directory.list()).includes("manifest.json");
    if (!isComplete) await t.throwsAsync(openDataset(directory), { code: "E_NOT_FOUND" });
    // It may be killed between its manifest and the end of cleaning up.
    if (!isComplete || (await readdir(folder)).includes("unfinished")) {
      const done: string[] = [];
      await prepareFiles(
        logs.map((path) => logFile(path)),
        folder,
        { ...options, onProgress: ({ pass }) => done.push(pass) },
      );
      // What the journal knows is not done again.
      if ("step" in moment && moment.step > 3) t.false(done.includes("scan"));
    }
    t.deepEqual(await digests(directory), expected, JSON.stringify(moment));
    t.deepEqual(
      (await readdir(folder)).filter((name) => name === "unfinished"),
      [],
    );
  }
  t.true(alive >= moments.length / 2, `${alive} of ${moments.length} were killed`);
});

test("a prepare killed once its data set is complete is finished by the same call, and by no other", async (t) => {
  const logs = [logFile(await file("complete.tsv", randomLog(300, 4)))];
  const [folder, copy] = [join(testFolder, "complete"), join(testFolder, "complete-scratch")];
  const scratch = join(folder, "unfinished");
  await prepareFiles(logs, folder, {
    rowsPerBatch: 64,
    onProgress: ({ pass }) => pass === "encode" && cpSync(scratch, copy, { recursive: true }),
  });
  const expected = await digests(nodeDirectory(folder));
  cpSync(copy, scratch, { recursive: true });
  const left = await readdir(scratch);
  await t.throwsAsync(prepareFiles(logs, folder, { rowsPerBatch: 32 }), { code: "E_EXISTS" });
  t.deepEqual(await readdir(scratch), left);
  await prepareFiles(logs, folder, { rowsPerBatch: 64 });
  t.deepEqual(await digests(nodeDirectory(folder)), expected);
  t.false((await readdir(folder)).includes("unfinished"));
  await t.throwsAsync(prepareFiles(logs, folder, { rowsPerBatch: 64 }), { code: "E_EXISTS" });
});

test("one, two and four threads, plain files in parts, and memory give the same bytes", async (t) => {
  const text = randomLog(process.env.TT_REC_LONG ? 400_000 : 3000, 5);
  const log = await file("threads.tsv", text);
  const reference = memoryDirectory();
  await prepare([source(text, [], log)], reference, { rowsPerBatch: 256 });
  const expected = await digests(reference);
  for (const threads of [1, 2, 4]) {
    const folder = join(testFolder, `threads-${threads}`);
    await prepareFiles([logFile(log)], folder, { rowsPerBatch: 256, threads });
    t.deepEqual(await digests(nodeDirectory(folder)), expected);
  }
});

test("a file read in parts has its lines once, whatever the cuts", async (t) => {
  const text = [randomLog(3, 1), "\n", randomLog(2, 2).replaceAll("\n", "\r\n"), `${"x".repeat(300)}\n`, randomLog(1, 3)].join(
    "",
  );
  const path = await file("parts.tsv", text);
  const random = testRandom(7);
  const everyCut = Array.from({ length: text.length + 1 }, (_, cut) => [cut]);
  const severalCuts = Array.from({ length: runs(40, 2000) }, (_, run) =>
    Array.from({ length: 1 + (run % 5) }, () => Math.floor(random() * text.length)).sort((a, b) => a - b),
  );
  for (const cuts of [...everyCut, ...severalCuts]) {
    const ends = [0, ...cuts, text.length];
    let joined = "";
    for (const [i, end] of ends.slice(1).entries()) {
      for await (const chunk of logFile(path, [ends[i], end]).chunks()) joined += Buffer.from(chunk).toString("latin1");
    }
    t.is(joined, text, String(cuts));
  }
});

test("a part of more than one piece, and a line across its end, are read whole", async (t) => {
  const text = randomLog(12_000, 8);
  const path = await file("pieces.tsv", text);
  t.true(text.length > 2.5 * 2 ** 20);
  for (const cut of [2 ** 20 - 1, 2 ** 20, 2 ** 20 + 1, 2 ** 21 + 5]) {
    let joined = "";
    for (const range of [[0, cut] as const, [cut, text.length] as const]) {
      for await (const chunk of logFile(path, range).chunks()) joined += Buffer.from(chunk).toString("latin1");
    }
    t.true(joined === text, String(cut));
  }
});

test("a bad row of a part is named by its line in the file", async (t) => {
  const rows = randomLog(60_000, 4).split("\n").slice(0, -1);
  const bad = [10, 30_000, 59_000];
  for (const line of bad) rows[line - 1] = "junk";
  const path = await file("bad.tsv", `${rows.join("\n")}\n`.repeat(4));
  for (const [maxBadRows, line] of [
    [0, 10],
    [2, 59_000],
    [11, 239_000],
  ]) {
    const error = await t.throwsAsync<TtError>(
      prepareFiles([logFile(path)], join(testFolder, "bad"), { maxBadRows, threads: 2 }),
      {
        code: "E_ROW",
      },
    );
    t.is(error?.where.line, line);
    t.deepEqual(await readdir(join(testFolder, "bad")), [], "nothing is left that no later run could use");
  }
});

test("bad rows of several files are counted together, in a run that goes on too", async (t) => {
  const logs = await Promise.all(
    [1, 2].map((seed) => file(`some-${seed}.tsv`, `junk\n${randomLog(30, seed)}junk\n${randomLog(9, seed)}`)),
  );
  const folder = join(testFolder, "some");
  const run = (maxBadRows: number): Promise<unknown> =>
    prepareFiles(
      logs.map((path) => logFile(path)),
      folder,
      { maxBadRows, threads: 2 },
    );
  for (let attempt = 0; attempt < 3; attempt++) {
    const error = await t.throwsAsync<TtError>(run(3), { code: "E_ROW", message: /bad row 4, maxBadRows = 3/ });
    t.deepEqual([error?.where.file, error?.where.line], [logs[1], 32]);
  }
  await t.notThrowsAsync(run(4));
});

test("a dictionary that does not fit into the memory is learned in parts, with the same bytes", async (t) => {
  const random = testRandom(9);
  const schema = { label: "y", dense: ["a"], ids: ["few", "many"] };
  const id = (count: number): string => Math.floor(random() * count).toString(16);
  const text = Array.from({ length: 120_000 }, () => `1\t\t${id(99)}\t${id(2 ** 17)}\n`).join("");
  const path = await file("large.tsv", text);
  for (const minFrequency of [1, 2]) {
    const options = { schema, minFrequency };
    const folders = [1 << 20, 1 << 30].map((memory) => ({
      memory,
      folder: join(testFolder, `memory-${memory}-${minFrequency}`),
    }));
    for (const { memory, folder } of folders) await prepareFiles([logFile(path)], folder, { ...options, memory, threads: 1 });
    const [parts, whole] = await Promise.all(folders.map(({ folder }) => digests(nodeDirectory(folder))));
    t.deepEqual(parts, whole);
  }
});

test("a log that changed since an interrupted run is read anew", async (t) => {
  const path = await file("changing.tsv", randomLog(200, 1));
  const folder = join(testFolder, "changing");
  t.true(await killed({ step: 5 }, folder, [path]));
  await writeFile(path, randomLog(201, 2));
  await prepareFiles([logFile(path)], folder, { rowsPerBatch: 64, minFrequency: 2 });
  const reference = memoryDirectory();
  await prepare([source(randomLog(201, 2), [], path)], reference, { rowsPerBatch: 64, minFrequency: 2 });
  t.deepEqual(await snapshot(nodeDirectory(folder)), await snapshot(reference));
});

const DATA = process.env.TT_REC_DATA ?? fileURLToPath(new URL("../../../../../shared/data", import.meta.url));
const SAMPLE = join(DATA, "criteo-kaggle", "train.tsv.gz");

test("a real sample has the rows, the labels and the ids that readline counts", async (t) => {
  if (!existsSync(SAMPLE)) {
    t.log(`skipped: ${SAMPLE} is not there; set TT_REC_DATA to a folder of data sets`);
    t.pass();
    return;
  }
  const directory = nodeDirectory(join(testFolder, "kaggle"));
  const manifest = await prepareFiles([logFile(SAMPLE)], join(testFolder, "kaggle"));
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
  const files = (await readdir(root, { recursive: true })).filter(
    (name) => name.endsWith(".js") && name !== "node.js" && !name.startsWith("node"),
  );
  t.true(files.length > 20);
  for (const name of files)
    t.notRegex(await readFile(join(root, name), "utf8"), /["'](node:|\.\.?\/.*node(\.js|\/)|@tt-rec\/tensor\/node)/, name);
});
