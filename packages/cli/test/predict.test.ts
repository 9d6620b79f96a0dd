import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { CRITEO_SCHEMA, openDataset } from "@tt-rec/criteo-loader";
import { openModel } from "@tt-rec/dlrm";
import { nodeDirectory } from "@tt-rec/tensor/node";
import test, { type ExecutionContext } from "ava";
import { eventsOf, inFolder, type Outcome, ttRec } from "./support.ts";

const MODEL = "--embedding-dim 4 --bottom-mlp 8-4 --top-mlp 8-1 --optimizer adagrad --learning-rate 0.02".split(" ");
const TT = "--tt-tables 7 --tt-ranks 4 --cache-share 0.05 --cache-warmup 5 --cache-refresh 10".split(" ");
const PLAIN = "--simd simd --blas off --threads 1".split(" ");

async function run(t: ExecutionContext, ...args: string[]): Promise<Outcome> {
  const outcome = await ttRec(...args);
  t.is(outcome.code, 0, outcome.stderr);
  return outcome;
}

/** The probabilities that the model of a run gives the test rows of its data set. */
async function testProbabilities(model: string, dataset: string): Promise<number[]> {
  const data = await openDataset(nodeDirectory(dataset));
  const scorer = await openModel(nodeDirectory(model), { runtime: { threads: 1, simd: "simd" } });
  const all: number[] = [];
  for await (const batch of data.batches({ split: "test", batchSize: 777 })) all.push(...(await scorer.predict(batch)));
  await scorer.close();
  return all;
}

const numbersOf = (text: string): number[] => text.trimEnd().split("\n").map(Number);

test("raw rows in every format get the probabilities of the prepared rows, bit for bit, in order", async (t) => {
  await inFolder(async (path) => {
    await run(t, "generate", path("log.tsv"), "--rows", "9000", "--scale", "0.001");
    await run(t, "prepare", path("log.tsv"), "--out", path("data"), "--days", "2", "--min-frequency", "2", "--flag-missing");
    await run(t, "train", path("data"), "--out", path("run"), ...MODEL, ...TT, ...PLAIN);
    const expected = await testProbabilities(path("run"), path("data"));
    // Training rows come first, then test, then validation.
    const { rows } = (await openDataset(nodeDirectory(path("data")))).manifest;
    const lines = readFileSync(path("log.tsv"), "utf8")
      .trimEnd()
      .split("\n")
      .slice(rows.train, rows.train + rows.test);
    t.is(lines.length, expected.length);
    const fields = lines.map((line) => line.split("\t"));
    const { label, dense, ids } = CRITEO_SCHEMA;
    const names = [label, ...dense, ...ids];
    const object = (values: string[]): object =>
      Object.fromEntries(names.map((name, i) => [name, values[i] === "" ? null : i <= 13 ? Number(values[i]) : values[i]]));
    const files: Record<string, string | Uint8Array> = {
      "labelled.tsv": lines.join("\n"),
      "unlabelled.tsv": `${fields.map((values) => values.slice(1).join("\t")).join("\n")}\n`,
      "packed.tsv.gz": gzipSync(`${lines.join("\n")}\n`),
      "named.csv": `${names.slice(1).join(",")}\n${fields.map((values) => values.slice(1).join(",")).join("\n")}\n`,
      "rows.jsonl": `${fields.map((values) => JSON.stringify(object(values))).join("\n")}\n`,
    };
    // The dictionaries are all that is needed of the data set.
    renameSync(path("data/train-0.arrow"), path("gone.arrow"));
    for (const [name, content] of Object.entries(files)) {
      writeFileSync(path(name), content);
      const { stdout } = await run(t, "predict", path("run"), path("data"), path(name), ...PLAIN);
      t.deepEqual(numbersOf(stdout), expected, name);
    }
    const { stdout } = await run(t, "predict", path("run"), path("data"), path("labelled.tsv"), "--json", ...PLAIN);
    t.deepEqual(numbersOf(stdout), expected, "nothing else goes where the probabilities go");
    // Several files, into a file, by an exported model.
    await run(t, "export", path("run"), "--out", path("model.safetensors"), ...PLAIN);
    const halves = [lines.slice(0, 100), lines.slice(100)];
    for (const [i, half] of halves.entries()) writeFileSync(path(`${i}.tsv`), half.join("\n"));
    const args = [path("model.safetensors"), path("data"), path("0.tsv"), path("1.tsv"), "--out", path("p.txt"), "--json"];
    const events = eventsOf(await run(t, "predict", ...args, ...PLAIN));
    t.is(events.at(-1)?.rows, expected.length);
    t.deepEqual(numbersOf(readFileSync(path("p.txt"), "utf8")), expected);
    // Bytes in place of floats change the scores a little.
    await run(t, "export", path("run"), "--out", path("small.safetensors"), "--storage", "int8", ...PLAIN);
    const rounded = numbersOf((await run(t, "predict", path("small.safetensors"), path("data"), path("0.tsv"), ...PLAIN)).stdout);
    const apart = Math.max(...rounded.map((p, i) => Math.abs(p - expected[i])));
    t.true(apart > 0 && apart < 0.02, String(apart));
  });
});

test("rows of a table with lists, texts and a schema are scored too", async (t) => {
  await inFolder(async (path) => {
    const schema = {
      label: "clicked",
      dense: ["age", { column: "price", transform: "none" }],
      ids: ["city", { column: "item", type: "integer" }, { column: "tags", list: "|" }],
    };
    writeFileSync(path("schema.json"), JSON.stringify(schema));
    const cities = ["Bern", "Graz", "Lyon", "Oslo", "Riga"];
    const rows = Array.from({ length: 1200 }, (_, i) => ({
      clicked: (i * 7) % 3 === 0 ? 1 : 0,
      age: i % 40,
      price: (i % 17) / 4 - 1,
      city: cities[(i * i) % 5],
      item: (i * 31) % 101,
      tags: Array.from({ length: i % 4 }, (_, k) => `t${(i + k) % 9}`),
    }));
    const csv = (labelled: boolean, some: typeof rows): string =>
      [
        `${labelled ? "clicked," : ""}age,price,city,item,tags`,
        ...some.map(
          ({ clicked, age, price, city, item, tags }) =>
            `${labelled ? `${clicked},` : ""}${age},${price},${city},${item},${tags.join("|")}`,
        ),
      ].join("\n");
    writeFileSync(path("log.csv"), csv(true, rows));
    const prepare = ["prepare", path("log.csv"), "--schema", path("schema.json"), "--out", path("data"), "--days", "3"];
    await run(t, ...prepare);
    const settings = [...MODEL, "--tt-tables", "1", "--tt-ranks", "2", ...PLAIN];
    await run(t, "train", path("data"), "--out", path("run"), ...settings);
    const expected = await testProbabilities(path("run"), path("data"));
    const tested = rows.slice(800, 800 + expected.length);
    writeFileSync(path("new.csv"), csv(false, tested));
    writeFileSync(path("new.jsonl"), tested.map((row) => JSON.stringify({ ...row, clicked: undefined })).join("\n"));
    for (const name of ["new.csv", "new.jsonl"]) {
      const args = [path("run"), path("data"), path(name), "--schema", path("schema.json"), ...PLAIN];
      t.deepEqual(numbersOf((await run(t, "predict", ...args)).stdout), expected, name);
    }
    const cases: [number, RegExp, string[]][] = [
      [4, /not those of the data set; --schema names/, [path("run"), path("data"), path("new.csv")]],
      [
        2,
        /the schema .*nowhere.json cannot be read/,
        [path("run"), path("data"), path("new.csv"), "--schema", path("nowhere.json")],
      ],
      [2, /needs a file with rows/, [path("run"), path("data")]],
      [3, /new.csv, line 1/, [path("run"), path("data"), path("broken"), "--schema", path("schema.json")]],
    ];
    writeFileSync(path("broken"), '{"age": 1}\n{"age": "x"}\n');
    cases[3][1] = /broken, row 2: column age is not a number: "x" was found/;
    for (const [code, message, args] of cases) {
      const outcome = await ttRec("predict", ...args, ...PLAIN);
      t.is(outcome.code, code, outcome.stderr);
      t.regex(outcome.stderr, message);
    }
    // A model and dictionaries that do not belong together.
    await run(t, ...prepare.with(5, path("other")), "--min-frequency", "100");
    const other = await ttRec("predict", path("run"), path("other"), path("new.csv"), "--schema", path("schema.json"), ...PLAIN);
    t.is(other.code, 4);
    t.regex(other.stderr, /trained on another data set/);
  });
});

test("evaluate slices a column, and takes the AUC from a histogram", async (t) => {
  await inFolder(async (path) => {
    await run(t, "generate", path("log.tsv"), "--rows", "3000", "--scale", "0.001");
    await run(t, "prepare", path("log.tsv"), "--out", path("data"), "--days", "3");
    await run(t, "train", path("data"), "--out", path("run"), ...MODEL, ...PLAIN);
    const evaluate = ["evaluate", path("run"), path("data"), ...PLAIN];
    const events = eventsOf(await run(t, ...evaluate, "--slice-by", "C9", "--slices", "2", "--auc-bins", "500", "--json"));
    const [, whole, ...slices] = events;
    t.true((whole.aucError as number) >= 0);
    t.deepEqual(
      slices.map(({ event, column }) => `${event} ${column}`),
      ["slice C9", "slice C9", "slice C9"],
    );
    t.is(
      slices.reduce((sum, { rows }) => sum + Number(rows), 0),
      Number(whole.rows),
    );
    t.is(slices[2].value, null);
    t.regex((await run(t, ...evaluate, "--slice-by", "C9")).stdout, /index of C9 .*rows/);
    t.regex((await ttRec(...evaluate, "--slice-by", "C99")).stderr, /--slice-by = "C99" is not one of C1/);
    // A file that exists is not written over.
    await run(t, "export", path("run"), "--out", path("m.safetensors"));
    t.is((await ttRec("export", path("run"), "--out", path("m.safetensors"))).code, 2);
    await run(t, "export", path("run"), "--out", path("m.safetensors"), "--replace");
    t.is((await ttRec("export", path("run"), "--out", path("m.bin"))).code, 2);
  });
});
