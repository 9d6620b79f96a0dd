import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { eventsOf, inFolder, type Outcome, ttRec, weightsIn } from "./support.ts";

const SMALL =
  "--embedding-dim 4 --bottom-mlp 8-4 --top-mlp 8-1 --optimizer adagrad --learning-rate 0.02 --tt-learning-rate 0.02".split(" ");
const DIVERGING = "--embedding-dim 4 --bottom-mlp 4 --top-mlp 1 --optimizer sgd --learning-rate 1e38".split(" ");
const TT = "--tt-tables 7 --tt-ranks 4 --cache-share 0.05 --cache-warmup 5 --cache-refresh 10".split(" ");

async function run(t: ExecutionContext, ...args: string[]): Promise<Outcome> {
  const outcome = await ttRec(...args);
  t.is(outcome.code, 0, outcome.stderr);
  return outcome;
}

test("a raw log becomes two trained models and a report, end to end", async (t) => {
  await inFolder(async (path) => {
    await run(t, "generate", path("log.tsv.gz"), "--rows", "4000", "--scale", "0.001");
    await run(t, "prepare", path("log.tsv.gz"), "--out", path("data"));
    await run(t, "train", path("data"), "--out", path("dense"), "--name", "dense", ...SMALL);
    const tt = await run(
      t,
      "train",
      path("data"),
      "--out",
      path("tt"),
      "--name",
      "tt",
      "--json",
      "--evaluate-every",
      "10",
      ...SMALL,
      ...TT,
    );
    const events = eventsOf(tt);
    t.deepEqual([...new Set(events.map(({ event }) => event))].sort(), [
      "checkpoint",
      "engine",
      "evaluation",
      "refresh",
      "step",
      "trained",
    ]);
    const [trained] = events.filter(({ event }) => event === "trained");
    t.true((trained.embeddingBytes as number) < (trained.uncompressedBytes as number));
    t.true((trained.hitRate as number) > 0);

    const evaluated = eventsOf(await run(t, "evaluate", path("tt"), path("data"), "--json"));
    const { event: _event, run: _run, split: _split, ...metrics } = evaluated[1];
    t.deepEqual(metrics, trained.test);

    const compared = await run(t, "compare", path("dense"), path("tt"), "--report", path("report.html"));
    for (const word of ["dense", "tt", "accuracy", "AUC", "log-loss", "ratio", "step time", "hit rate"])
      t.true(compared.stdout.includes(word), word);
    const html = readFileSync(path("report.html"), "utf8");
    t.is(html.match(/<svg/g)?.length, 4);
    t.notRegex(html, /<script|<link|src=|url\((?!#)|@import/, "the page reaches for something outside of it");
  });
});

test("a resumed run ends with the same weights as one that was never interrupted", async (t) => {
  await inFolder(async (path) => {
    await run(t, "generate", path("log.tsv"), "--rows", "3000", "--scale", "0.001");
    await run(t, "prepare", path("log.tsv"), "--out", path("data"), "--days", "3");
    const settings = [path("data"), ...SMALL, ...TT, "--shuffle"];
    await run(t, "train", ...settings, "--out", path("whole"), "--epochs", "2");
    await run(t, "train", ...settings, "--out", path("parts"), "--epochs", "1");
    const refused = await ttRec("train", ...settings, "--out", path("parts"), "--epochs", "2", "--resume", "--seed", "9");
    t.is(refused.code, 4);
    await run(t, "train", ...settings, "--out", path("parts"), "--epochs", "2", "--resume");
    t.true(weightsIn(path("parts")).equals(weightsIn(path("whole"))));
  });
});

test("an interrupted run saves itself, ends with the signal's exit code, and goes on to the same weights", async (t) => {
  await inFolder(async (path) => {
    await run(t, "generate", path("log.tsv"), "--rows", "3000", "--scale", "0.001");
    await run(t, "prepare", path("log.tsv"), "--out", path("data"));
    // The process has relaxed SIMD on Node 20, where this one has it not.
    const settings = [
      "train",
      path("data"),
      ...SMALL,
      ...TT,
      "--epochs",
      "40",
      "--threads",
      "2",
      "--simd",
      "simd",
      "--blas",
      "off",
    ];
    const child = spawn(process.execPath, ["dist/src/main.js", ...settings, "--out", path("parts"), "--json"]);
    const closed = once(child, "close");
    const output: string[] = [];
    child.stdout.on("data", (chunk) => {
      output.push(String(chunk));
      // Before the first step there is nothing to save.
      if (!child.killed && output.join("").includes('"event":"step"')) child.kill("SIGTERM");
    });
    t.is((await closed)[0], 143);
    t.regex(output.join(""), /"event":"interrupted"/);
    t.false(existsSync(join(path("parts"), "run.json")));
    await run(t, ...settings, "--out", path("parts"), "--resume");
    await run(t, ...settings, "--out", path("whole"));
    t.true(weightsIn(path("parts")).equals(weightsIn(path("whole"))));
  });
});

test("a run stops early, tests its best model, keeps the latest checkpoints, and reports itself", async (t) => {
  await inFolder(async (path) => {
    await run(t, "generate", path("log.tsv"), "--rows", "3000", "--scale", "0.001");
    await run(t, "prepare", path("log.tsv"), "--out", path("data"), "--days", "3");
    const stop = "--epochs 50 --evaluate-every 5 --best-by auc --patience 3 --checkpoint-every 4 --keep-checkpoints 3".split(" ");
    const fast = SMALL.map((flag) => (flag === "0.02" ? "0.3" : flag));
    const args = ["train", path("data"), "--out", path("run"), ...fast, ...stop, "--report", path("r.html")];
    const events = eventsOf(await run(t, ...args, "--json"));
    const evaluations = events.filter(({ event }) => event === "evaluation");
    t.is(events.filter(({ event }) => event === "stop").length, 1);
    const best = evaluations.reduce((a, b) => (Number(b.auc) > Number(a.auc) ? b : a));
    t.is(evaluations.length - 1 - evaluations.indexOf(best), 3);
    const trained = events.at(-1);
    t.is(trained?.testedStep, best.step);
    t.true(Number(trained?.steps) > Number(best.step));
    const tested = eventsOf(await run(t, "evaluate", path("run"), path("data"), "--json"))[1];
    t.like(trained?.test, { auc: tested.auc });
    const latest = eventsOf(await run(t, "evaluate", path("run"), path("data"), "--which", "latest", "--json"))[1];
    t.not(latest.auc, tested.auc);
    t.is(readdirSync(path("run")).filter((file) => file.startsWith("weights-")).length, 4);
    t.regex(readFileSync(path("r.html"), "utf8"), /AUC on the validation rows/);
    const [step] = events.filter(({ event }) => event === "step");
    t.true(Number(step.samplesPerSecond) > 0 && Number(step.secondsLeft) > 0);
    // What has stopped stays so.
    const again = eventsOf(await run(t, ...args, "--resume", "--json"));
    t.false(again.some(({ event }) => event === "step"));
    t.is((await ttRec(...args.slice(0, 4), ...SMALL, "--patience", "2", "--replace")).code, 2);
    await run(
      t,
      "train",
      path("data"),
      "--out",
      path("rare"),
      ...SMALL,
      "--steps",
      "7",
      "--epochs",
      "0",
      "--unknown-share",
      "0.3",
      "--shuffle",
      "day",
    );
    const other = await ttRec(
      "train",
      path("data"),
      "--out",
      path("rare"),
      ...SMALL,
      "--epochs",
      "1",
      "--resume",
      "--shuffle",
      "day",
    );
    t.is(other.code, 4);
  });
});

test("a run or a data set is not overwritten unless that is asked for", async (t) => {
  await inFolder(async (path) => {
    await run(t, "generate", path("log.tsv"), "--rows", "1000", "--scale", "0.001");
    await run(t, "prepare", path("log.tsv"), "--out", path("data"));
    const held = await ttRec("prepare", path("log.tsv"), "--out", path("data"));
    t.is(held.code, 2);
    t.regex(held.stderr, /data holds a data set; --replace writes over it/);
    await run(t, "prepare", path("log.tsv"), "--out", path("data"), "--replace");
    await run(t, "train", path("data"), "--out", path("run"), ...SMALL);
    const refused = await ttRec("train", path("data"), "--out", path("run"), ...SMALL);
    t.is(refused.code, 2);
    t.regex(refused.stderr, /holds a run; --resume goes on with it, --replace starts over/);
    await run(t, "train", path("data"), "--out", path("run"), ...SMALL, "--replace");
    // Runs over other rows are shown side by side, but not without a word.
    await run(t, "prepare", path("log.tsv"), "--out", path("fewer"), "--days", "5");
    await run(t, "train", path("fewer"), "--out", path("other"), ...SMALL);
    t.regex((await run(t, "compare", path("run"), path("other"))).stderr, /tested on different rows.*; /);
    t.is((await run(t, "compare", path("run"), path("run"))).stderr, "");
  });
});

test("mistakes end with one line and the exit code of their kind", async (t) => {
  await inFolder(async (path) => {
    await run(t, "generate", path("log.tsv"), "--rows", "1000", "--scale", "0.001");
    await run(t, "prepare", path("log.tsv"), "--out", path("data"));
    await run(t, "train", path("data"), "--out", path("run"), ...SMALL);
    const lines = readFileSync(path("log.tsv"), "utf8").split("\n");
    const damaged = (line: string): string => {
      writeFileSync(path("bad.tsv"), lines.with(41, line).join("\n"));
      return path("bad.tsv");
    };
    const table = (): string => {
      writeFileSync(path("bad.csv"), "clicked,city\n1,a\n");
      return path("bad.csv");
    };
    const cases: [number, RegExp, string[]][] = [
      [2, /no command "trian"/, ["trian"]],
      [
        2,
        /no option --batchsize; the nearest is --batch-size$/m,
        ["train", path("data"), "--out", path("x"), "--batchsize", "1"],
      ],
      [2, /no option --tt-tabels; the nearest is --tt-tables$/m, ["train", path("data"), "--out", path("x"), "--tt-tabels", "1"]],
      [2, /--out is missing/, ["train", path("data")]],
      [2, /missing required args/, ["evaluate", path("run")]],
      [2, /there is no file/, ["prepare", path("nowhere.tsv"), "--out", path("x")]],
      [2, /run\/manifest\.json: there is no data set here/, ["evaluate", path("run"), path("run")]],
      [2, /last width of bottomMlp/, ["train", path("data"), "--out", path("x"), "--bottom-mlp", "8-5"]],
      [3, /bad\.csv, line 1: .*; a log that is not Criteo's needs --schema$/m, ["prepare", table(), "--out", path("x")]],
      [3, /bad\.tsv, line 42: the row has 3 columns, the schema 40$/m, ["prepare", damaged("1\t2\t3"), "--out", path("x")]],
      [6, /step \d+: /, ["train", path("data"), "--out", path("x"), ...DIVERGING]],
    ];
    for (const [code, message, args] of cases) {
      const outcome = await ttRec(...args);
      t.is(outcome.code, code, `${args.join(" ")}: ${outcome.stderr}`);
      t.regex(outcome.stderr, message);
      t.is(outcome.stderr.trim().split("\n").length, 1, outcome.stderr);
    }
    t.false(existsSync(join(path("x"), "manifest.json")));
    t.is((await ttRec("prepare", path("bad.tsv"), "--out", path("y"), "--max-bad-rows", "1")).code, 0);

    const [weights] = readdirSync(path("run")).filter((file) => file.startsWith("weights-"));
    const bytes = readFileSync(join(path("run"), weights));
    bytes[bytes.length >> 1] ^= 4;
    writeFileSync(join(path("run"), weights), bytes);
    const corrupt = await ttRec("evaluate", path("run"), path("data"));
    t.is(corrupt.code, 4);
    t.regex(corrupt.stderr, /SHA-256/);
  });
});

test("prepare splits by fractions or ranges of rows too", async (t) => {
  await inFolder(async (path) => {
    await run(t, "generate", path("log.tsv"), "--rows", "1000", "--scale", "0.001");
    const rows = async (out: string, split: string): Promise<unknown> =>
      eventsOf(await run(t, "prepare", path("log.tsv"), "--out", path(out), "--split", split, "--json")).at(-1)?.rows;
    t.deepEqual(await rows("a", "fractions=0.1,0.2"), { train: 700, test: 100, validation: 200 });
    t.deepEqual(await rows("b", "ranges=0:500,600:700,500:600"), { train: 500, test: 100, validation: 100 });
    for (const split of [
      "fractions=0.1",
      "fractions=,0.1",
      "ranges=0:1,1:2",
      "ranges=0-1,1-2,2-3",
      "days",
      "fractions=0.9,0.9",
    ]) {
      t.is((await ttRec("prepare", path("log.tsv"), "--out", path("c"), "--split", split)).code, 2, split);
    }
    t.is((await ttRec("prepare", path("log.tsv"), "--out", path("c"), "--split", "fractions=0.1,0.1", "--days", "3")).code, 2);
    await run(t, "train", path("a"), "--out", path("run"), ...SMALL, "--drop-negatives", "0.5", "--shuffle", "day");
  });
});

test("prepare --verify finds a flipped bit, and where it is", async (t) => {
  await inFolder(async (path) => {
    await run(t, "generate", path("log.tsv"), "--rows", "1000", "--scale", "0.001");
    await run(t, "prepare", path("log.tsv"), "--out", path("data"), "--verify");
    await run(t, "prepare", "--out", path("data"), "--verify");
    const file = join(path("data"), "train-0.arrow");
    const bytes = readFileSync(file);
    bytes[bytes.length >> 1] ^= 1;
    writeFileSync(file, bytes);
    const { code, stderr } = await ttRec("prepare", "--out", path("data"), "--verify");
    t.is(code, 4);
    t.regex(stderr, /train-0\.arrow/);
    t.is((await ttRec("prepare", "--out", path("data"))).code, 2);
  });
});

test("a config file gives settings, and its mistakes are named", async (t) => {
  await inFolder(async (path) => {
    await run(t, "generate", path("log.tsv"), "--rows", "1000", "--scale", "0.001");
    await run(t, "prepare", path("log.tsv"), "--out", path("data"));
    writeFileSync(
      path("config.json"),
      JSON.stringify({ embeddingDim: 4, bottomMlp: [4], topMlp: [1], batchSize: 50, ttTables: 2, ttRanks: 2 }),
    );
    await run(t, "train", path("data"), "--out", path("run"), "--config", path("config.json"), "--batch-size", "60");
    const record = JSON.parse(readFileSync(join(path("run"), "run.json"), "utf8")) as { settings: Record<string, unknown> };
    t.like(record.settings, { embeddingDim: 4, batchSize: 60, ttTables: 2 });
    const checkpoint = JSON.parse(readFileSync(join(path("run"), "checkpoint.json"), "utf8")) as { settings: object };
    t.deepEqual(checkpoint.settings, record.settings, "the resolved settings, all of them");
    writeFileSync(path("config.json"), "{");
    t.is((await ttRec("train", path("data"), "--out", path("z"), "--config", path("config.json"))).code, 2);
  });
});

test("without a command the help is shown, and --help ends well", async (t) => {
  t.is((await ttRec()).code, 2);
  t.is((await ttRec("--help")).code, 0);
  t.is((await ttRec("train", "--help")).code, 0);
  t.is((await ttRec("--version")).code, 0);
});
