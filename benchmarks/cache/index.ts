/**
 * What models learn, and how fast, with caches of hot rows in front of TT tables: no cache, the paper's policy, the reference's and
 * those of this project, on real data sets and on a generated log with the tables of Criteo Kaggle in full size.
 *
 * `npm run bench:cache -- [--set NAME]… [--variant NAME]… [--seeds N] [--dim D] [--ranks R] [--columns q1,q2,q3] [--timing]
 * [--data FOLDER] [--json FILE]`
 */
import { appendFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import "@tt-rec/testing/relaxed-simd";
import { describeMachine, describeSource } from "@tt-rec/testing";
import { generatedTask } from "./generated-task.ts";
import { criteoTask, gowallaTask, movieTask } from "./real-tasks.ts";
import { type ResultLine, readResults, summary } from "./summary.ts";
import type { Task } from "./task.ts";
import { type CacheChoice, trainOnce } from "./train-once.ts";
import { VARIANTS } from "./variants.ts";

/** Steps of a run that measures time, and how often each is repeated, the settings taking turns. */
const TIMED_STEPS = 300;
const TIMED_ROUNDS = 5;

const { values } = parseArgs({
  options: {
    set: { type: "string", multiple: true },
    variant: { type: "string", multiple: true },
    seeds: { type: "string", default: "3" },
    dim: { type: "string", default: "16" },
    ranks: { type: "string" },
    columns: { type: "string" },
    timing: { type: "boolean", default: false },
    data: { type: "string" },
    json: { type: "string" },
  },
});
const root = fileURLToPath(new URL("../../..", import.meta.url));
const data = resolve(values.data ?? process.env.TT_REC_DATA ?? `${root}/../shared/data`);
const folder = mkdtempSync(join(tmpdir(), "tt-rec-cache-"));
const source = { machine: describeMachine("off"), commit: describeSource() };

const MAKERS: Readonly<Record<string, () => Promise<Task>>> = {
  "criteo-kaggle-sample": () => criteoTask(data, folder),
  "ml-1m": () => movieTask(data, folder),
  gowalla: () => gowallaTask(data, folder),
  "generated-10m": generatedTask,
};
const FILES: Readonly<Record<string, string>> = {
  "criteo-kaggle-sample": "criteo-kaggle/train.tsv.gz",
  "ml-1m": "ml-1m/interactions.tsv.gz",
  gowalla: "gowalla/interactions.tsv.gz",
};

/** A task with embeddings of another dimension. */
function ofDimension(task: Task, embeddingDim: number): Task {
  if (embeddingDim === 16) return task;
  return {
    ...task,
    name: `${task.name}-D${embeddingDim}`,
    embeddingDim,
    bottomMlp: [...task.bottomMlp.slice(0, -1), embeddingDim],
  };
}

/** A task whose TT tables have other ranks, or other factors of their columns. */
function ofTables(task: Task, ranks: string | undefined, columns: string | undefined): Task {
  return {
    ...task,
    name: [task.name, ranks && `R${ranks}`, columns?.replaceAll(",", "x")].filter(Boolean).join("-"),
    ttRanks: Number(ranks ?? task.ttRanks),
    ...(columns && { columnShape: columns.split(",").map(Number) }),
  };
}

/** No cache, then every variant at every size. */
function choicesOf({ shares }: Task): (CacheChoice | undefined)[] {
  const named = values.variant ?? ["none", ...VARIANTS.map(({ name }) => name)];
  const cached = VARIANTS.filter(({ name }) => named.includes(name)).flatMap((variant) =>
    shares.map((share) => ({ variant, share })),
  );
  return named.includes("none") ? [undefined, ...cached] : cached;
}

async function measure(task: Task, choice: CacheChoice | undefined, seed: number): Promise<ResultLine> {
  const outcome = await trainOnce(task, choice, seed, values.timing ? TIMED_STEPS : undefined);
  const name = choice?.variant.name ?? "none";
  const line = {
    id: `cache-training/${task.name}/${name.replaceAll(/,? /g, "-")}${choice ? `/${choice.share}` : ""}/seed${seed}`,
    case: { data: task.name, policy: name, share: choice?.share ?? 0, seed },
    phase: values.timing ? ("time" as const) : ("train" as const),
    ...outcome,
    ...source,
    date: new Date().toISOString(),
  };
  if (values.json !== undefined) appendFileSync(values.json, `${JSON.stringify(line)}\n`);
  return line;
}

const lines: ResultLine[] = values.json !== undefined && existsSync(values.json) ? readResults(values.json) : [];
// A run that was cut off goes on where it stopped.
const done = new Set(values.timing ? [] : lines.map(({ id }) => id));
if (values.timing && values.json !== undefined) {
  const others = lines.filter(({ phase }) => phase !== "time");
  writeFileSync(values.json, others.map((line) => `${JSON.stringify(line)}\n`).join(""));
  lines.splice(0, lines.length, ...others);
}
try {
  for (const name of values.set ?? Object.keys(MAKERS)) {
    if (FILES[name] !== undefined && !existsSync(join(data, FILES[name]))) {
      console.error(`${name} is skipped: there is no ${FILES[name]} in ${data}`);
      continue;
    }
    const task = ofTables(ofDimension(await MAKERS[name](), Number(values.dim)), values.ranks, values.columns);
    for (let round = 1; round <= (values.timing ? TIMED_ROUNDS : Number(values.seeds)); round++) {
      for (const choice of choicesOf(task)) {
        const id = `cache-training/${task.name}/${(choice?.variant.name ?? "none").replaceAll(/,? /g, "-")}${choice ? `/${choice.share}` : ""}/seed${round}`;
        if (!done.has(id)) lines.push(await measure(task, choice, round));
      }
    }
  }
  console.log(summary(lines));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
