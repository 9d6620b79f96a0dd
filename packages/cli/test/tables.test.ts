import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { eventsOf, inFolder, type Outcome, ttRec } from "./support.ts";

const DATA = process.env.TT_REC_DATA ?? "../../../shared/data";
const SMALL = "--embedding-dim 4 --top-mlp 8-1 --batch-size 64 --optimizer adagrad --learning-rate 0.05".split(" ");

async function run(t: ExecutionContext, ...args: string[]): Promise<Outcome> {
  const outcome = await ttRec(...args);
  t.is(outcome.code, 0, outcome.stderr);
  return outcome;
}

/** Each of 60 users likes the items of its own parity. */
function clickLog(rows: number): { label: number; user: number; item: string; tags: string; price: number }[] {
  return Array.from({ length: rows }, (_, row) => {
    const [user, item] = [(row * 7) % 60, (row * 13) % 41];
    return {
      label: (user + item) % 2,
      user,
      item: `item, ${item}`,
      tags: item % 3 === 0 ? "" : `t${item % 3}|all`,
      price: row % 9,
    };
  });
}

function csvOf(rows: ReturnType<typeof clickLog>): string {
  const lines = rows.map(({ label, user, item, tags, price }) => `${label},${user},"${item}",${tags},${price}`);
  return `clicked,user,item,tags,price\n${lines.join("\n")}\n`;
}

test("a CSV log of one's own trains with the same commands, with numbers or without, with lists and every id order", async (t) => {
  await inFolder(async (path) => {
    writeFileSync(path("log.csv"), csvOf(clickLog(4000)));
    const ids = [{ column: "user", type: "integer" }, "item", { column: "tags", list: "|" }];
    writeFileSync(path("ids.json"), JSON.stringify({ label: "clicked", ids }));
    writeFileSync(path("all.json"), JSON.stringify({ label: "clicked", dense: ["price"], ids }));
    const losses: number[] = [];
    for (const [name, schema, order] of [
      ["ids", "ids.json", ["--id-order", "similarity"]],
      ["all", "all.json", ["--id-order", "frequency", "--min-frequency", "2", "--compression", "zstd"]],
      ["hashed", "ids.json", ["--id-order", "hash", "--hash-size", "200"]],
    ] as const) {
      await run(t, "prepare", path("log.csv"), "--schema", path(schema), "--out", path(name), "--verify", ...order);
      const { options } = JSON.parse(readFileSync(path(join(name, "manifest.json")), "utf8"));
      t.is(options.compression, name === "all" ? "zstd" : undefined);
      const bottom = name === "all" ? ["--bottom-mlp", "8-4"] : [];
      const tables = ["--tt-tables", "1", "--tt-ranks", "4", "--epochs", "4", "--shuffle"];
      const trained = await run(t, "train", path(name), "--out", path(`${name}-run`), "--json", ...SMALL, ...bottom, ...tables);
      const { test: metrics } = eventsOf(trained).at(-1) as { test: { logLoss: number } };
      losses.push(metrics.logLoss);
      await run(t, "evaluate", path(`${name}-run`), path(name));
      await run(t, "plan", path(name), "--tables", "1");
    }
    // A constant gives 0.693.
    t.true(
      losses.every((loss) => loss < 0.65),
      losses.join(),
    );
  });
});

test("implicit data trains with drawn negatives", async (t) => {
  await inFolder(async (path) => {
    const likes = clickLog(3000).filter(({ label }) => label === 1);
    writeFileSync(path("likes.csv"), csvOf(likes));
    const schema = {
      ids: [{ column: "user", type: "integer" }, "item"],
      negatives: { user: "user", item: "item", perPositive: 2 },
    };
    writeFileSync(path("schema.json"), JSON.stringify(schema));
    const prepared = await run(t, "prepare", path("likes.csv"), "--schema", path("schema.json"), "--out", path("data"), "--json");
    const { rows } = eventsOf(prepared).at(-1) as { rows: Record<string, number> };
    t.is(rows.train + rows.test + rows.validation, 3 * likes.length);
    const trained = await run(t, "train", path("data"), "--out", path("run"), "--json", ...SMALL);
    const { test: metrics } = eventsOf(trained).at(-1) as { test: { clickRate: number } };
    t.true(Math.abs(metrics.clickRate - 1 / 3) < 0.01);
  });
});

test("mistakes in schemas, orders and engines end with one line", async (t) => {
  await inFolder(async (path) => {
    writeFileSync(path("log.csv"), csvOf(clickLog(50)));
    writeFileSync(path("good.json"), JSON.stringify({ label: "clicked", ids: ["user"] }));
    writeFileSync(path("bad.json"), JSON.stringify({ label: "clicked", ids: ["usr"] }));
    writeFileSync(path("odd.json"), "{");
    const prepare = (...args: string[]): Promise<Outcome> => ttRec("prepare", path("log.csv"), "--out", path("x"), ...args);
    const cases: [number, RegExp, string[]][] = [
      [2, /the schema .*none\.json cannot be read/, ["--schema", path("none.json")]],
      [2, /the schema is not JSON/, ["--schema", path("odd.json")]],
      [3, /log\.csv, line 1: there is no column "usr"; there are "clicked", "user"/, ["--schema", path("bad.json")]],
      [3, /log\.csv, line 1: column label is not 0 or 1/, []],
      [2, /--id-order = "random" is not one of/, ["--id-order", "random"]],
      [2, /hash needs a size/, ["--schema", path("good.json"), "--id-order", "hash"]],
      [2, /numbers ids by frequency only/, ["--engine", "duckdb"]],
      [
        2,
        /knows no flags of missing numbers, but I1 has one/,
        ["--engine", "duckdb", "--id-order", "frequency", "--flag-missing"],
      ],
      [2, /needs the native engine/, ["--engine", "duckdb", "--schema", path("good.json"), "--id-order", "frequency"]],
    ];
    for (const [code, message, args] of cases) {
      const outcome = await prepare(...args);
      t.is(outcome.code, code, `${args.join(" ")}: ${outcome.stderr}`);
      t.regex(outcome.stderr, message);
      t.is(outcome.stderr.trim().split("\n").length, 1, outcome.stderr);
    }
  });
});

test("ml-1m and gowalla are prepared as their cards say", async (t) => {
  const [movies, gowalla] = ["ml-1m", "gowalla"].map((name) => join(DATA, name, "interactions.tsv.gz"));
  if (!existsSync(movies) || !existsSync(gowalla)) {
    t.log(`skipped: there is no ${movies} and ${gowalla}; TT_REC_DATA names the folder of the data`);
    t.pass();
    return;
  }
  await inFolder(async (path) => {
    const id = (column: string): object => ({ column, type: "integer" });
    writeFileSync(path("movies.json"), JSON.stringify({ label: "label", ids: [id("user"), id("movie")] }));
    const first = await run(t, "prepare", movies, "--schema", path("movies.json"), "--out", path("movies"), "--json");
    t.like(eventsOf(first).at(-1), { badRows: 0, rows: { train: 857_322, test: 71_444, validation: 71_443 } });
    const negatives = { user: "user", item: "item", perPositive: 1 };
    writeFileSync(path("gowalla.json"), JSON.stringify({ ids: [id("user"), id("item")], negatives }));
    const second = await run(t, "prepare", gowalla, "--schema", path("gowalla.json"), "--out", path("gowalla"), "--json");
    const { rows } = eventsOf(second).at(-1) as { rows: Record<string, number> };
    t.is(rows.train + rows.test + rows.validation, 2 * 1_027_370);
  });
});
