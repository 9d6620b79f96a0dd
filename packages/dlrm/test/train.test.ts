import { createRng, isTtError, type NamedTensors } from "@tt-rec/tensor";
import { copyState, rejectsCode } from "@tt-rec/testing";
import test from "ava";
import {
  type Batch,
  type BatchRequest,
  type BatchSource,
  type BinaryMetrics,
  Dlrm,
  type DlrmConfig,
  evaluate,
  evaluateSlices,
  StepProfile,
  type StoppingRule,
  type TrainEvent,
  type TrainingConfig,
  type TrainingProgress,
  train,
} from "../src/index.ts";
import { BinaryMetricsCollector } from "../src/metrics/binary-metrics.ts";
import { bitsOf, EMBEDDINGS, OPTIMIZERS, runtime, smallConfig } from "./support.ts";
import { syntheticSource } from "./synthetic-source.ts";

const KINDS = ["dense", "tt", "cached", "cachedInt8"] as const;
const RULES = ["sgd", "adagrad"] as const;

const CONFIG: DlrmConfig = smallConfig(EMBEDDINGS.cached);
/** 37 rows in batches of 8: five steps an epoch, the last of 5 samples. */
const SOURCE = syntheticSource(CONFIG, 37);
const RUN: TrainingConfig = { epochs: 2, batchSize: 8, optimizer: OPTIMIZERS.adagrad, shuffle: true, seed: 3 };

async function eventsOf(events: AsyncIterable<TrainEvent>): Promise<TrainEvent[]> {
  const all: TrainEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

const newModel = (seed = 1): Dlrm => new Dlrm(runtime, CONFIG, createRng(seed));

async function firstBatch(request: BatchRequest): Promise<Batch> {
  for await (const batch of SOURCE.batches(request)) return batch;
  throw new Error("the source is empty");
}

/** One word an event: what happened, after which step, epoch and batch. */
const words = (events: readonly TrainEvent[]): string[] =>
  events.map(({ kind, progress: { step, epoch, batch } }) => `${kind} ${step}/${epoch}/${batch}`);

test.serial("events come in order: step, refresh, evaluation; and an evaluation after each epoch", async (t) => {
  const events = await eventsOf(train(newModel(), SOURCE, RUN, { split: "validation", everySteps: 4 }));
  t.deepEqual(words(events), [
    "step 1/0/1",
    "step 2/0/2",
    "refresh 2/0/2",
    "step 3/0/3",
    "refresh 3/0/3",
    "step 4/0/4",
    "evaluation 4/0/4",
    "step 5/0/5",
    "evaluation 5/1/0",
    "step 6/1/1",
    "refresh 6/1/1",
    "step 7/1/2",
    "step 8/1/3",
    "evaluation 8/1/3",
    "step 9/1/4",
    "refresh 9/1/4",
    "step 10/1/5",
    "evaluation 10/2/0",
  ]);
  const steps = events.filter((event) => event.kind === "step");
  t.deepEqual(
    steps.map(({ samples }) => samples),
    [8, 8, 8, 8, 5, 8, 8, 8, 8, 5],
  );
  t.true(steps.every(({ loss, milliseconds }) => loss > 0 && milliseconds >= 0));
  for (const event of events) {
    if (event.kind === "evaluation") t.deepEqual([event.split, event.metrics.rows], ["validation", 37]);
    if (event.kind === "refresh") t.deepEqual([event.table, event.metrics.cachedRows], ["large", 7]);
  }
});

test.serial("evaluations follow their plan: none, each epoch, or more often", async (t) => {
  const evaluations = async (plan: Parameters<typeof train>[3]): Promise<string[]> =>
    words((await eventsOf(train(newModel(), SOURCE, RUN, plan))).filter(({ kind }) => kind === "evaluation"));
  t.deepEqual(await evaluations(undefined), []);
  t.deepEqual(await evaluations({ split: "test" }), ["evaluation 5/1/0", "evaluation 10/2/0"]);
  t.deepEqual(await evaluations({ split: "test", everySteps: 4 }), [
    "evaluation 4/0/4",
    "evaluation 5/1/0",
    "evaluation 8/1/3",
    "evaluation 10/2/0",
  ]);
  // The model of an epoch's last step is not scored twice.
  t.deepEqual(await evaluations({ split: "test", everySteps: 5 }), ["evaluation 5/0/5", "evaluation 10/1/5"]);
});

test.serial("a step's loss is that of the batch before the update", async (t) => {
  const model = newModel();
  const collector = new BinaryMetricsCollector();
  const first = await firstBatch({ split: "train", batchSize: 8, shuffle: true, seed: 3 });
  collector.add(first.labels, await model.score(first));
  const { value } = await train(model, SOURCE, RUN).next();
  t.true(value?.kind === "step" && Math.abs(value.loss - collector.result().logLoss) < 1e-6);
});

test.serial("evaluate scores a split in its own order, whatever the batch size, and changes nothing", async (t) => {
  const model = newModel();
  await eventsOf(train(model, SOURCE, RUN));
  const before = bitsOf(await model.state());
  const whole = await evaluate(model, SOURCE, "test");
  t.deepEqual(await evaluate(model, SOURCE, "test", { batchSize: 5 }), whole);
  const all = await firstBatch({ split: "test", batchSize: 100 });
  const collector = new BinaryMetricsCollector();
  collector.add(all.labels, await model.score(all));
  t.deepEqual(whole, collector.result());
  t.is(bitsOf(await model.state()), before);
});

test.serial("evaluations between steps do not change what the model learns", async (t) => {
  const [plain, watched] = [newModel(), newModel()];
  await eventsOf(train(plain, SOURCE, RUN));
  await eventsOf(train(watched, SOURCE, RUN, { split: "validation", everySteps: 1 }));
  t.is(bitsOf(await plain.state()), bitsOf(await watched.state()));
});

test.serial("leaving the loop stops early: the source is closed, and the model can be used", async (t) => {
  const source = syntheticSource(CONFIG, 37);
  const model = newModel();
  for await (const event of train(model, source, RUN)) if (event.progress.step === 3) break;
  t.is(source.closed(), 1);
  t.is((await evaluate(model, source, "test")).rows, 37);
  t.is((await eventsOf(train(model, source, { ...RUN, epochs: 1 }))).filter(({ kind }) => kind === "step").length, 5);
});

test.serial("an error of the consumer or of the source passes through, and the model can be used", async (t) => {
  const model = newModel();
  const failure = new Error("stop");
  const broken: BatchSource = {
    rows: () => 37,
    async *batches(request) {
      for await (const batch of SOURCE.batches(request)) {
        yield batch;
        throw failure;
      }
    },
  };
  t.is(await t.throwsAsync(eventsOf(train(model, broken, RUN))), failure);
  t.is((await evaluate(model, SOURCE, "test")).rows, 37);
});

test.serial("a run from some progress does the rest of the run", async (t) => {
  const steps = async (from: TrainingProgress): Promise<string[]> =>
    words(await eventsOf(train(newModel(), SOURCE, RUN, undefined, from))).filter((word) => word.startsWith("step"));
  t.deepEqual(await steps({ step: 8, epoch: 1, batch: 3 }), ["step 9/1/4", "step 10/1/5"]);
  t.deepEqual((await steps({ step: 5, epoch: 0, batch: 5 }))[0], "step 6/1/1", "an epoch whose last step was done is over");
  t.deepEqual(await steps({ step: 10, epoch: 2, batch: 0 }), []);
});

for (const kind of KINDS) {
  for (const rule of RULES) {
    test.serial(`${kind}, ${rule}: the same seed gives the same bits, another seed others`, async (t) => {
      const run = async (drawSeed: number, seed: number): Promise<string> => {
        const config = smallConfig(EMBEDDINGS[kind]);
        const model = new Dlrm(runtime, config, createRng(drawSeed));
        const source = syntheticSource(config, 37);
        const events = await eventsOf(train(model, source, { ...RUN, seed, optimizer: OPTIMIZERS[rule] }));
        const losses = events.map((event) => (event.kind === "step" ? event.loss : 0));
        return `${losses} ${bitsOf(await model.state())}`;
      };
      const first = await run(1, 2);
      t.is(await run(1, 2), first);
      t.not(await run(1, 3), first);
      t.not(await run(2, 2), first);
    });

    test.serial(`${kind}, ${rule}: the model learns a learnable problem`, async (t) => {
      const config = smallConfig(EMBEDDINGS[kind]);
      const model = new Dlrm(runtime, config, createRng(1));
      const source = syntheticSource(config, 2003);
      const before = await evaluate(model, source, "test");
      const run = { ...RUN, epochs: 6, batchSize: 32, optimizer: OPTIMIZERS[rule] };
      const losses: number[] = [];
      for await (const event of train(model, source, run)) if (event.kind === "step") losses.push(event.loss);
      const after = await evaluate(model, source, "test");
      const mean = (part: number[]): number => part.reduce((a, b) => a + b, 0) / part.length;
      const [early, late] = [mean(losses.slice(0, 20)), mean(losses.slice(-20))];
      t.log(`loss ${early.toFixed(3)} → ${late.toFixed(3)}, test AUC ${before.auc.toFixed(3)} → ${after.auc.toFixed(3)}`);
      t.true(late < 0.85 * early);
      t.true(after.auc > 0.8 && after.logLoss < 0.9 * before.logLoss);
    });
  }
}

test.serial("a run without shuffling does not depend on its seed", async (t) => {
  const run = async (seed: number): Promise<string> => {
    const model = newModel();
    await eventsOf(train(model, SOURCE, { ...RUN, shuffle: false, seed }));
    return bitsOf(await model.state());
  };
  t.is(await run(1), await run(2));
});

test.serial("a bad run is E_OPTION before any step", async (t) => {
  const model = newModel();
  const before = bitsOf(await model.state());
  for (const value of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    await rejectsCode(t, "E_OPTION", train(model, SOURCE, { ...RUN, epochs: value }).next(), /epochs = /);
    await rejectsCode(t, "E_OPTION", train(model, SOURCE, { ...RUN, batchSize: value }).next(), /batchSize = /);
    await rejectsCode(t, "E_OPTION", train(model, SOURCE, RUN, { split: "test", everySteps: value }).next(), /everySteps = /);
  }
  const optimizer = { kind: "sgd", learningRate: Number.NaN } as const;
  await rejectsCode(t, "E_OPTION", train(model, SOURCE, { ...RUN, optimizer }).next(), /learningRate = NaN/);
  t.is(bitsOf(await model.state()), before);
});

test.serial("divergence is E_NONFINITE with step and part, and the parameters are those of the step before", async (t) => {
  const model = newModel();
  let good = "";
  const error = await t.throwsAsync(async () => {
    for await (const event of train(model, SOURCE, RUN)) {
      if (event.kind !== "step") continue;
      if (event.progress.step === 4) {
        const state = new Map(copyState(await model.state()));
        state.get("table.small.table")?.data.fill(Number.NaN);
        await model.load(state);
      }
      good = await parameterBits(model);
    }
  });
  t.true(isTtError(error) && error.code === "E_NONFINITE" && error.where.step === 5, `${error}`);
  t.regex(`${error}`, /step 5: the loss is NaN/);
  t.is(await parameterBits(model), good);
});

test.serial("the place of a gradient that overflows is told with the step", async (t) => {
  const config: DlrmConfig = { ...smallConfig(EMBEDDINGS.dense), denseFeatures: 0, bottomMlp: [], topMlp: [1] };
  const model = new Dlrm(runtime, config, createRng(1));
  const state = copyState(await model.state());
  for (const [name, value] of [
    ["table.small.table", 3e38],
    ["top.0.weight", 100],
    ["table.large.table", 0],
  ] as const) {
    state.get(name)?.data.fill(value);
  }
  await model.load(state);
  const error = await t.throwsAsync(
    train(model, syntheticSource(config, 37), RUN, undefined, { step: 40, epoch: 1, batch: 2 }).next(),
  );
  t.true(isTtError(error) && error.code === "E_NONFINITE");
  t.deepEqual(isTtError(error) && error.where, { tensor: "large", step: 41 });
  t.regex(`${error}`, /step 41: the gradient of table large/);
});

async function parameterBits(model: Dlrm): Promise<string> {
  return bitsOf(new Map([...(await model.state())].filter(([name]) => !/\.counter\.|cache\.(schedule|candidates)/.test(name))));
}

test.serial("a run of so many steps ends in the middle of an epoch, with an evaluation", async (t) => {
  const run = { ...RUN, steps: 7 };
  const all = words(await eventsOf(train(newModel(), SOURCE, run, { split: "test" }))).filter(
    (word) => !word.startsWith("refresh"),
  );
  t.deepEqual(all.slice(-3), ["step 6/1/1", "step 7/1/2", "evaluation 7/1/2"]);
  const { epochs: _, ...endless } = run;
  t.is((await eventsOf(train(newModel(), SOURCE, { ...endless, steps: 23 }))).at(-1)?.progress.step, 23);
  t.deepEqual(
    await eventsOf(train(newModel(), SOURCE, { ...endless, steps: 23 }, undefined, { step: 23, epoch: 4, batch: 3 })),
    [],
  );
  const { steps: __, ...aimless } = endless;
  await rejectsCode(t, "E_OPTION", train(newModel(), SOURCE, aimless).next(), /needs epochs or steps/);
});

/** A plan that stops by its rule, over the events of a run with an evaluation every 2 steps. */
async function stopped(stopping: StoppingRule, epochs = 30) {
  const plan = { split: "test", everySteps: 2, stopping } as const;
  return eventsOf(train(newModel(), SOURCE, { ...RUN, epochs }, plan));
}

for (const metric of ["auc", "accuracy", "logLoss"] as const) {
  test.serial(`a run stops early by ${metric}: by a threshold at once, by patience after the best`, async (t) => {
    const values = (await stopped({ metric }, 6)).flatMap((event) =>
      event.kind === "evaluation" ? [event.metrics[metric]] : [],
    );
    const sign = metric === "logLoss" ? -1 : 1;
    const better = (a: number, b: number): boolean => sign * a > sign * b;
    const threshold = values[4];
    const first = values.findIndex((value) => value === threshold || better(value, threshold));
    const events = await stopped({ metric, threshold }, 6);
    t.is(events.at(-1)?.kind, "stop");
    t.is(events.filter(({ kind }) => kind === "evaluation").length, first + 1);

    const patient = await stopped({ metric, patience: 3 }, 60);
    const seen = patient.flatMap((event) => (event.kind === "evaluation" ? [event] : []));
    const end = patient.at(-1);
    t.true(end?.kind === "stop" && end.reason.includes("3 evaluations"), JSON.stringify(end));
    const best = seen.reduce((a, b) => (better(b.metrics[metric], a.metrics[metric]) ? b : a));
    t.deepEqual(end?.progress.best, { step: best.progress.step, value: best.metrics[metric], since: 3 });
    t.is(seen.length - 1 - seen.indexOf(best), 3);
    t.true(best.isBest);
    t.false(seen.at(-1)?.isBest);
  });
}

test.serial("a gain below minDelta is none, and without patience or a threshold a run is ranked but not stopped", async (t) => {
  const events = await stopped({ metric: "auc", patience: 2, minDelta: 1 });
  t.is(events.filter(({ kind }) => kind === "evaluation").length, 3);
  const ranked = await stopped({ metric: "auc" }, 4);
  t.is(ranked.filter(({ kind }) => kind === "stop").length, 0);
  t.true(ranked.some((event) => event.kind === "evaluation" && event.isBest));
});

test.serial("resumed from any step, before or after its evaluation, a run stops where the whole one does", async (t) => {
  const plan = { split: "test", everySteps: 2, stopping: { metric: "auc", patience: 2 } } as const;
  const run = { ...RUN, epochs: 40 };
  const whole = await eventsOf(train(newModel(), SOURCE, run, plan));
  const last = whole.at(-1)?.progress;
  const model = newModel();
  const states: [TrainingProgress, NamedTensors][] = [];
  for await (const event of train(model, SOURCE, run, plan)) states.push([event.progress, copyState(await model.state())]);
  t.true(states.length > 10);
  for (const [progress, state] of states) {
    const resumed = newModel(5);
    await resumed.load(state);
    const rest = await eventsOf(train(resumed, SOURCE, run, plan, progress));
    t.deepEqual(rest.at(-1)?.progress ?? progress, last, `from ${JSON.stringify(progress)}`);
    resumed.dispose();
  }
});

test.serial("a bad stopping rule is E_OPTION before any step, an epoch without batches E_EMPTY", async (t) => {
  for (const stopping of [
    { metric: "f1" as "auc" },
    { metric: "auc", patience: 0 },
    { metric: "auc", minDelta: -1 },
    { metric: "auc", threshold: Number.NaN },
  ] satisfies StoppingRule[]) {
    await rejectsCode(t, "E_OPTION", train(newModel(), SOURCE, RUN, { split: "test", stopping }).next());
  }
  await rejectsCode(t, "E_OPTION", train(newModel(), SOURCE, { ...RUN, dropNegatives: 1 }).next(), /dropNegatives = 1/);
  const empty: BatchSource = { rows: () => 0, async *batches() {} };
  await rejectsCode(t, "E_EMPTY", train(newModel(), empty, RUN).next());
});

test.serial("slices of a table sum up to the whole", async (t) => {
  const model = newModel();
  const slices = await evaluateSlices(model, SOURCE, "test", 1, 4);
  const whole = await evaluate(model, SOURCE, "test");
  t.is(slices.length, 5);
  t.is(slices.at(-1)?.value, undefined);
  const sum = (of: (metrics: BinaryMetrics) => number): number => slices.reduce((total, { metrics }) => total + of(metrics), 0);
  t.is(
    sum(({ rows }) => rows),
    whole.rows,
  );
  t.true(Math.abs(sum(({ rows, logLoss }) => rows * logLoss) - whole.rows * whole.logLoss) < 1e-9);
  await rejectsCode(t, "E_INDEX", evaluateSlices(model, SOURCE, "test", 2, 4));
});

test.serial("an AUC from a histogram is within the error that it states", async (t) => {
  const model = newModel();
  const exact = await evaluate(model, SOURCE, "test");
  const { auc, aucError = 0, ...rest } = await evaluate(model, SOURCE, "test", { aucBins: 50 });
  t.true(aucError > 0 && Math.abs(auc - exact.auc) <= aucError + 1e-12);
  const { auc: _, ...others } = exact;
  t.deepEqual(rest, others);
});

test.serial("a profile tells the time of each part of the steps, and changes no bit", async (t) => {
  const profile = new StepProfile();
  const [plain, watched] = [newModel(), new Dlrm(runtime, CONFIG, createRng(1), { profile })];
  await eventsOf(train(plain, SOURCE, RUN));
  const started = performance.now();
  await eventsOf(train(watched, SOURCE, RUN, { split: "test" }));
  const elapsed = performance.now() - started;
  t.is(bitsOf(await watched.state()), bitsOf(await plain.state()));
  t.deepEqual(
    [...profile.milliseconds.keys()],
    [
      ...["plan", "uncompressed tables", "cached tables", "MLPs", "interaction", "loss"],
      ...["MLPs backward", "interaction backward", "tables backward", "finiteness", "update"],
    ],
  );
  const times = [...profile.milliseconds.values()];
  t.true(times.every((time) => time > 0));
  t.true(times.reduce((a, b) => a + b, 0) < elapsed);
  const tt = new StepProfile();
  await eventsOf(train(new Dlrm(runtime, smallConfig(EMBEDDINGS.tt), createRng(1), { profile: tt }), SOURCE, RUN));
  t.true(tt.milliseconds.has("TT tables") && !tt.milliseconds.has("cached tables"));
});
