import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import test, { type ExecutionContext } from "ava";
import { generateLog, type PrepareOptions } from "../src/index.ts";
import { logFile, prepareFiles, prepareInDuckdb } from "../src/node.ts";
import { collect, randomLog, testRandom } from "./support.ts";

const DATA = process.env.TT_REC_DATA ?? "../../../shared/data";
const PACKAGE: string = "@duckdb/node-api";

let folder: string;
let installed: boolean;
test.before(async () => {
  folder = mkdtempSync(join(tmpdir(), "tt-rec-duckdb-"));
  installed = await import(PACKAGE).then(
    () => true,
    () => false,
  );
});
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

/** The optional package decides what can be tested. */
function skip(t: ExecutionContext, condition: boolean, notice: string): boolean {
  if (!condition) return false;
  t.log(`skipped: ${notice}`);
  t.pass();
  return true;
}
const NOT_INSTALLED = `${PACKAGE} is not installed; npm install --no-save --no-package-lock ${PACKAGE}@1.5.6-r.1`;

function files(path: string): Record<string, Buffer> {
  return Object.fromEntries(
    readdirSync(path)
      .sort()
      .map((name) => [name, readFileSync(join(path, name))]),
  );
}

/** Prepares with both engines and compares all bytes. */
async function compareEngines(
  t: ExecutionContext,
  name: string,
  paths: readonly string[],
  options: PrepareOptions,
): Promise<void> {
  const [native, duckdb] = [join(folder, `${name}-native`), join(folder, `${name}-duckdb`)];
  const settings = { ...options, idOrder: "frequency" } as const;
  await prepareFiles(
    paths.map((path) => logFile(path)),
    native,
    { ...settings, threads: 1 },
  );
  await prepareInDuckdb(paths, duckdb, { ...settings, threads: 2 });
  const [expected, found] = [files(native), files(duckdb)];
  t.deepEqual(Object.keys(found), Object.keys(expected));
  for (const [file, bytes] of Object.entries(expected)) t.true(found[file].equals(bytes), file);
}

test("duckdb and the native engine write the same bytes", async (t) => {
  if (skip(t, !installed, NOT_INSTALLED)) return;
  const [plain, compressed] = [join(folder, "a'b.tsv"), join(folder, "c")];
  writeFileSync(plain, randomLog(401, 5));
  writeFileSync(compressed, Buffer.concat([gzipSync(randomLog(150, 6)), gzipSync(randomLog(99, 7))]));
  await compareEngines(t, "defaults", [plain], { rowsPerBatch: 64 });
  await compareEngines(t, "files", [plain, compressed], { days: "files", minFrequency: 4, validationShare: 0.3 });
  await compareEngines(t, "modulo", [compressed], { maxIndexRange: 1009 });
  await compareEngines(t, "zstd", [plain], { rowsPerBatch: 64, compression: "zstd" });
  writeFileSync(plain, randomLog(70, 9).replaceAll("\n", "\r\n").slice(0, -2));
  await compareEngines(t, "line ends", [plain], {});
});

test("duckdb and the native engine agree on generated rows", async (t) => {
  if (skip(t, !installed, NOT_INSTALLED)) return;
  const path = join(folder, "generated.tsv.gz");
  const rows = process.env.TT_REC_LONG ? 1_000_000 : 20_000;
  writeFileSync(path, gzipSync(Buffer.concat(await collect(generateLog({ rows, seed: 3, scale: 0.05 })))));
  await compareEngines(t, "generated", [path], { minFrequency: 2 });
});

test("duckdb and the native engine agree on the real Criteo sample", async (t) => {
  const path = join(DATA, "criteo-kaggle/train.tsv.gz");
  if (skip(t, !installed, NOT_INSTALLED) || skip(t, !existsSync(path), `there is no ${path}`)) return;
  await compareEngines(t, "kaggle", [path], { days: 6, minFrequency: 2 });
});

test("damaged gz files and rows that duckdb would take are refused", async (t) => {
  if (skip(t, !installed, NOT_INSTALLED)) return;
  const good = randomLog(300, 8);
  const gz = gzipSync(good);
  const random = testRandom(4);
  const path = join(folder, "damaged.tsv");
  for (let run = 0; run < 20; run++) {
    const damaged = Buffer.from(gz);
    damaged[10 + Math.floor(random() * (gz.length - 10))] ^= 1 << Math.floor(random() * 8);
    writeFileSync(path, run % 2 === 0 ? damaged : gz.subarray(0, Math.floor(random() * (gz.length - 20)) + 20));
    const error = await t.throwsAsync<Error & { code?: string }>(
      prepareInDuckdb([path], join(folder, "x"), { idOrder: "frequency" }),
    );
    t.true(["E_CORRUPT", "E_ROW"].includes(String(error?.code)), String(error?.code));
  }
  for (const [from, to] of [
    [/\t[0-9a-f]{8}\n/, "\t1.5\n"],
    [/^0\t/m, "2\t"],
    [/\n/, "\n\n"],
  ] as const) {
    writeFileSync(path, good.replace(from, to));
    await t.throwsAsync(prepareInDuckdb([path], join(folder, "x"), { idOrder: "frequency" }), {
      code: "E_ROW",
      message: /line \d+/,
    });
  }
  // The native engine takes lines with either end in one file.
  writeFileSync(path, good.replace("\n", "\r\n"));
  await t.throwsAsync(prepareInDuckdb([path], join(folder, "x"), { idOrder: "frequency" }), {
    code: "E_ROW",
    message: /^duckdb: .*CSV Parser.*$/,
  });
  t.false(existsSync(join(folder, "x", "manifest.json")));
  t.deepEqual(readdirSync(join(folder, "x")), []);
});

test("what duckdb cannot express is refused, and so is a missing package", async (t) => {
  const path = join(folder, "small.tsv");
  writeFileSync(path, randomLog(30, 1));
  const schema = { label: "y", dense: [], ids: ["a", "b"] };
  const refused: [PrepareOptions, RegExp][] = [
    [{}, /numbers ids by frequency only, but idOrder = first-seen/],
    [{ idOrder: "hash", hashSize: 9 }, /idOrder = hash/],
    [{ idOrder: "frequency", maxBadRows: 1 }, /cannot skip bad rows, but maxBadRows = 1/],
    [
      { idOrder: "frequency", schema: { ...schema, dense: ["n"], flags: ["n"] } },
      /knows no flags of missing numbers, but n has one/,
    ],
    [{ idOrder: "frequency", schema: { ...schema, wide: ["a"] } }, /but a has texts or lists/],
    [{ idOrder: "frequency", schema: { ...schema, lists: ["b"] } }, /but b has texts or lists/],
  ];
  for (const [options, message] of refused) {
    await t.throwsAsync(prepareInDuckdb([path], join(folder, "y"), options), { code: "E_OPTION", message });
  }
  if (installed) return;
  await t.throwsAsync(prepareInDuckdb([path], join(folder, "y"), { idOrder: "frequency" }), {
    code: "E_NOT_FOUND",
    message: /not installed: npm install @duckdb\/node-api@1\.5\.6-r\.1/,
  });
  t.deepEqual(readdirSync(join(folder, "y")), []);
});
