import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import test from "ava";

const FOLDER = fileURLToPath(new URL("../../../../examples/", import.meta.url));

/** What each example says if it did its work. */
const EXPECTED: Readonly<Record<string, RegExp>> = {
  "tt-embedding.mjs": /step 2: loss \d\.\d+, 1080320 bytes/,
  "compress-npy.mjs": /: \d+ bytes, relative error 0\.0[0-4]/,
  "train-on-your-csv.mjs": /6000 test rows: AUC 0\.7[5-9]/,
  "plan-budget.mjs": /2160804928 bytes become (19|20)\d{6}: 10\d\.\dx/,
  "score-in-a-worker.mjs": /the same bits as here/,
};

test("every example is known here", (t) => {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith(".mjs"));
  t.deepEqual(files.sort(), Object.keys(EXPECTED).sort());
});

for (const [name, expected] of Object.entries(EXPECTED)) {
  test(`examples/${name} does its work`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "tt-rec-examples-"));
    t.teardown(() => rmSync(folder, { recursive: true, force: true }));
    const env = { ...process.env, TMPDIR: folder };
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [FOLDER + name], { env });
    t.is(stderr, "");
    t.regex(stdout, expected);
  });
}
