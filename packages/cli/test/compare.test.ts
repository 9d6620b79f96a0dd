import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, truncateSync } from "node:fs";
import { openDataset } from "@tt-rec/criteo-loader";
import type { Batch, BatchSource } from "@tt-rec/dlrm";
import { nodeDirectory } from "@tt-rec/tensor/node";
import test, { type ExecutionContext } from "ava";
import { memorySource, readIntoMemory, renumbered } from "../src/compare/memory-source.ts";
import { numberIds } from "../src/compare/number-ids.ts";
import { meanInterval } from "../src/compare/student.ts";
import { eventsOf, inFolder, type Outcome, ttRec } from "./support.ts";

const MODEL =
  "--bottom-mlp 8-4 --top-mlp 8-1 --optimizer adagrad --batch-size 100 --shuffle --cache-warmup 3 --cache-refresh 5".split(" ");
const PLAIN = "--simd simd --blas off --threads 1".split(" ");

async function run(t: ExecutionContext, ...args: string[]): Promise<Outcome> {
  const outcome = await ttRec(...args);
  t.is(outcome.code, 0, outcome.stderr);
  return outcome;
}

/** A folder with a small data set under the name `data`. */
function withData(t: ExecutionContext, use: (path: (name: string) => string) => Promise<void>): Promise<void> {
  return inFolder(async (path) => {
    await run(t, "generate", path("log.tsv"), "--rows", "1800", "--scale", "0.001");
    await run(t, "prepare", path("log.tsv"), "--out", path("data"), "--days", "3");
    await use(path);
  });
}

test("every method is tuned alike, run with every seed, and compared with the uncompressed model; a second call does nothing", async (t) => {
  await withData(t, async (path) => {
    const methods = ["dense", "tt", "tt-cached", "hash", "low-rank", "hot-rows", "removed"];
    const flags = ["--methods", methods.join(","), "--budgets", "3,100000", "--dims", "4", "--seeds", "1,2", "--largest", "2"];
    const args = [
      "compare",
      "--dataset",
      path("data"),
      "--out",
      path("out"),
      ...flags,
      "--table-rates",
      "0.05,0.1",
      ...MODEL,
      ...PLAIN,
    ];
    const events = eventsOf(await run(t, ...args, "--json", "--report", path("report.html")));
    const trainings = events.filter(({ event }) => event === "training");
    const lines = readFileSync(path("out/results.jsonl"), "utf8").trimEnd().split("\n");
    // dense and removed have one size; tt, tt-cached and hash two numberings; low-rank and hot-rows one: 2 + 2·(3·2 + 2) cells.
    const cells = 18;
    t.is(lines.length, cells * 4);
    const of = (kind: string) => trainings.filter((training) => training.kind === kind);
    t.true(of("trial").every(({ test, scores }) => test === undefined && scores === undefined));
    t.true(of("run").every(({ test, scores }) => test !== undefined && existsSync(path(`out/scores/${scores}`))));

    const rows = events.filter(({ event }) => event === "summary");
    t.is(rows.length, cells);
    const row = (method: string, budget: number | null) => rows.find((one) => one.method === method && one.budget === budget);
    for (const one of rows) {
      t.is(one.seeds, 2);
      t.is(one.againstDense === undefined, one.method === "dense", String(one.method));
      if (one.budget !== null) {
        const asked = Number(one.uncompressedBytes) / Number(one.budget);
        t.is(one.isReached, Number(one.comparedBytes) <= asked);
        if (one.budget === 3) t.true(one.isReached as boolean);
        else t.false(one.isReached as boolean);
      }
      t.true(Number(one.trainingBytes) > Number(one.scoringBytes));
    }
    // The least that a method takes is shown under every budget below it.
    t.is(row("low-rank", 3)?.isReached, true);
    t.true(Number(row("low-rank", 100000)?.comparedBytes) > 0);
    // Removed columns need no dictionary, hot rows one of their rows alone.
    const dictionary = (method: string, budget: number | null): number => Number(row(method, budget)?.dictionaryBytes);
    t.true(dictionary("removed", null) < dictionary("hot-rows", 3) && dictionary("hot-rows", 3) < dictionary("tt", 3));
    t.is(dictionary("tt", 3), dictionary("dense", null));
    t.is(Number(row("removed", null)?.comparedBytes), 0);
    const html = readFileSync(path("report.html"), "utf8");
    t.is(html.match(/<svg/g)?.length, 2);
    t.notRegex(html, /<script|<link|src=|url\((?!#)|@import/);

    const again = eventsOf(await run(t, ...args, "--json"));
    t.deepEqual(
      again.filter(({ event }) => event === "training"),
      [],
    );
    t.deepEqual(
      again.filter(({ event }) => event === "summary"),
      rows,
    );
    t.is(readFileSync(path("out/results.jsonl"), "utf8").trimEnd().split("\n").length, cells * 4);

    // A crash in the middle of a line costs that training alone, and it comes out as before.
    const whole = readFileSync(path("out/results.jsonl"), "utf8");
    truncateSync(path("out/results.jsonl"), whole.length - 40);
    t.is(eventsOf(await run(t, ...args, "--json")).filter(({ event }) => event === "training").length, 1);
    const last = (text: string): object => {
      const { seconds: _, ...rest } = JSON.parse(text.trimEnd().split("\n").at(-1) ?? "") as Record<string, unknown>;
      return rest;
    };
    t.deepEqual(last(readFileSync(path("out/results.jsonl"), "utf8")), last(whole));
  });
});

test("a signal ends a comparison behind the training that is under way, and the next call goes on", async (t) => {
  await withData(t, async (path) => {
    const flags = ["--methods", "dense,tt", "--budgets", "4", "--dims", "4", "--seeds", "1,2,3", "--largest", "2"];
    const args = [
      "compare",
      "--dataset",
      path("data"),
      "--out",
      path("out"),
      ...flags,
      "--epochs",
      "20",
      ...MODEL,
      ...PLAIN,
      "--json",
    ];
    const child = spawn(process.execPath, ["dist/src/main.js", ...args], { stdio: ["ignore", "pipe", "inherit"] });
    const closed = once(child, "close");
    child.stdout.on("data", (chunk) => {
      if (!child.killed && String(chunk).includes('"event":"training"')) child.kill("SIGINT");
    });
    t.is((await closed)[0], 130);
    const lines = (): number => readFileSync(path("out/results.jsonl"), "utf8").trimEnd().split("\n").length;
    // dense, and tt in two numberings: four trials and three runs each.
    t.true(lines() < 21, String(lines()));
    await run(t, ...args);
    t.is(lines(), 21);
  });
});

test("data sets of other id orders join the table; hashed ids need no dictionary", async (t) => {
  await withData(t, async (path) => {
    const prepare = ["prepare", path("log.tsv"), "--days", "3", "--out"];
    await run(t, ...prepare, path("hashed"), "--id-order", "hash", "--hash-size", "2000");
    await run(t, ...prepare, path("similar"), "--id-order", "similarity");
    const flags = [
      "--methods",
      "dense,hash,tt",
      "--budgets",
      "10",
      "--dims",
      "4",
      "--seeds",
      "1",
      "--largest",
      "3",
      "--table-rates",
      "0.1",
    ];
    const datasets = [path("data"), path("similar"), path("hashed")].join(",");
    const events = eventsOf(
      await run(t, "compare", "--dataset", datasets, "--out", path("out"), ...flags, ...MODEL, ...PLAIN, "--json"),
    );
    const rows = events.filter(({ event }) => event === "summary");
    t.deepEqual(rows.map(({ method, order, dictionaryBytes }) => `${method} ${order} ${Number(dictionaryBytes) > 0}`).sort(), [
      "dense first-seen true",
      "dense hash false",
      "hash frequency true",
      "hash hash false",
      "hash random true",
      "tt first-seen true",
      "tt frequency true",
      "tt hash false",
      // Of the other order only what depends on it is new.
      "tt similarity true",
    ]);
    t.is(new Set(rows.map(({ testRows }) => testRows)).size, 1);
    // Hashed tables have other numbers of rows, and no more bytes for it.
    t.is(new Set(rows.map(({ uncompressedBytes }) => uncompressedBytes)).size, 1);
    for (const { method, comparedBytes, uncompressedBytes } of rows) {
      if (method !== "dense") t.true(Number(comparedBytes) <= Number(uncompressedBytes) / 10);
    }
    t.regex(
      (await ttRec("compare", "--dataset", path("data"), "--out", path("out"), "--methods", "magic")).stderr,
      /a list of dense, tt/,
    );
    t.is((await ttRec("compare")).code, 2);
    t.is((await ttRec("compare", path("x"), "--dataset", path("data"))).code, 2);
  });
});

async function batchesOf(source: BatchSource, request: Parameters<BatchSource["batches"]>[0]): Promise<Batch[]> {
  const batches: Batch[] = [];
  for await (const { size, labels, dense, bags } of source.batches(request)) {
    const copied = bags.map(({ indices, offsets }) => ({
      indices: indices.slice(),
      ...(offsets && { offsets: offsets.slice() }),
    }));
    batches.push({ size, labels: labels.slice(), dense: dense.slice(), bags: copied });
  }
  return batches;
}

test("batches from memory are those of the data set; shuffled they are the same rows in an order of their own", async (t) => {
  await withData(t, async (path) => {
    const data = await openDataset(nodeDirectory(path("data")));
    const memory = await readIntoMemory(data);
    const source = memorySource(memory);
    for (const split of ["train", "validation", "test"] as const) {
      const request = { split, batchSize: 77, start: 1 };
      t.deepEqual(await batchesOf(source, request), await batchesOf(data, request));
    }
    const rowsOf = (batches: Batch[]): string[] =>
      batches.flatMap(({ size, labels, dense, bags }) =>
        Array.from(
          { length: size },
          (_, i) => `${labels[i]} ${dense.slice(13 * i, 13 * (i + 1))} ${bags.map(({ indices }) => indices[i])}`,
        ),
      );
    const plain = rowsOf(await batchesOf(source, { split: "train", batchSize: 100 }));
    const shuffled = { split: "train", batchSize: 100, shuffle: true, seed: 3 } as const;
    const first = rowsOf(await batchesOf(source, { ...shuffled, epoch: 0 }));
    t.notDeepEqual(first, plain);
    t.deepEqual(first.toSorted(), plain.toSorted());
    t.deepEqual(rowsOf(await batchesOf(source, { ...shuffled, epoch: 0, start: 2 })), first.slice(200));
    t.notDeepEqual(rowsOf(await batchesOf(source, { ...shuffled, epoch: 1 })), first);

    const counts = await data.accessCounts();
    const maps = numberIds("frequency", counts) ?? [];
    const other = renumbered(memory, maps);
    const column = 2;
    t.is(maps[column][0], 0);
    // By falling frequency from id 1 on.
    const falling = new Uint32Array(counts[column].length);
    for (const [id, number] of maps[column].entries()) falling[number] = counts[column][id];
    t.true(falling.subarray(1).every((count, i) => i === 0 || count <= falling[i]));
    t.deepEqual(
      other.test.columns[column].indices,
      memory.test.columns[column].indices.map((id) => maps[column][id]),
    );
    t.is(new Set(numberIds("random", counts)?.[column]).size, counts[column].length);
    t.is(numberIds("prepared", counts), undefined);
  });
});

test("a mean has Student's interval", (t) => {
  const { mean, margin } = meanInterval([1, 2, 6]);
  t.is(mean, 3);
  // Standard deviation √7, three values, t of two degrees of freedom.
  t.true(Math.abs(margin - 4.303 * Math.sqrt(7 / 3)) < 1e-12);
  t.is(meanInterval([4]).margin, Number.NaN);
});
