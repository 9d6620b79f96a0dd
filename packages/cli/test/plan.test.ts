import { KAGGLE_CARDINALITIES } from "@tt-rec/tt-math";
import test from "ava";
import { eventsOf, ttRec } from "./support.ts";

async function ratios(...args: string[]): Promise<string[]> {
  return eventsOf(await ttRec("plan", "--json", ...args)).map(({ ratio }) => (ratio as number).toFixed(1));
}

test("the paper's ratios fall out of the cardinalities: Kaggle at ranks 8 to 64, Terabyte at rank 8", async (t) => {
  t.deepEqual(await ratios("--preset", "kaggle"), ["221.9", "187.0", "117.4", "48.0"]);
  t.deepEqual(await ratios("--preset", "terabyte", "--ranks", "8"), ["112.5"]);
});

test("another cardinality changes the plan", async (t) => {
  const cardinalities = KAGGLE_CARDINALITIES.map((rows) => (rows === 10_131_227 ? 1_000_000 : rows));
  const changed = await ratios("--cardinalities", cardinalities.join(","), "--ranks", "8,32");
  t.deepEqual(await ratios("--cardinalities", KAGGLE_CARDINALITIES.join(","), "--ranks", "8,32"), ["221.9", "117.4"]);
  const parameters = cardinalities.reduce((a, b) => a + b, 0) * 16;
  t.notDeepEqual(changed, ["221.9", "117.4"]);
  const [{ uncompressedBytes }] = eventsOf(
    await ttRec("plan", "--json", "--cardinalities", cardinalities.join(","), "--ranks", "8"),
  );
  t.is(uncompressedBytes, 4 * parameters);
});

test("the table names shapes, sizes and ratios of the seven tables", async (t) => {
  const { code, stdout } = await ttRec("plan", "--preset", "kaggle");
  t.is(code, 0);
  for (const expected of ["2.16 GB", "10,131,227", "200 x 220 x 250", "2 x 2 x 4", "1200.4x", "18.41 MB 117.4x", "48.0x"]) {
    t.true(stdout.includes(expected), expected);
  }
});

test("a plan needs exactly one source of tables", async (t) => {
  for (const args of [[], ["--preset", "kaggle", "--cardinalities", "5"]]) {
    const { code, stderr } = await ttRec("plan", ...args);
    t.is(code, 2);
    t.regex(stderr, /one of a data set, --preset or --cardinalities/);
  }
});

test("a budget chooses tables and ranks, and the plan keeps it", async (t) => {
  const [{ bytes, ratio, tables }] = eventsOf(await ttRec("plan", "--preset", "kaggle", "--budget", "18.4MB", "--json"));
  t.true((bytes as number) <= 18_400_000 && (ratio as number) > 117);
  t.true((tables as { kind: string }[]).some(({ kind }) => kind === "dense"));
  const [by] = eventsOf(await ttRec("plan", "--preset", "terabyte", "--ratio", "112", "--shapes", "compact", "--json"));
  t.true((by.ratio as number) >= 112);
  const { stdout } = await ttRec("plan", "--preset", "kaggle", "--budget", "18.4MB", "--tables", "7");
  for (const expected of ["padding", "19 smaller tables stay dense", "200 x 220 x 250", "8.6 %"])
    t.true(stdout.includes(expected), expected);
});
