import { createRng, isTtError, type NamedTensors } from "@tt-rec/tensor";
import { allClose, copyState, rejectsCode, throwsCode } from "@tt-rec/testing";
import test from "ava";
import { type Batch, Dlrm, type DlrmConfig, type OptimizerConfig } from "../src/index.ts";
import { validateOptimizer } from "../src/optimizer.ts";
import { learningRateAt } from "../src/schedule.ts";
import { parametersOf } from "./model-definition.ts";
import { bitsOf, EMBEDDINGS, randomBatch, runtime, smallConfig } from "./support.ts";

// A runtime has one step at a time, so tests that use it are serial.

const SGD: OptimizerConfig = { kind: "sgd", learningRate: 0.5 };

/** So large a rate that the rounding of the weights does not show in how far they move. */
const FAR = 2 ** 10;

/** A table in each group of rates, and cross layers, which are dense. */
const CONFIG: DlrmConfig = {
  ...smallConfig(EMBEDDINGS.tt),
  interaction: { kind: "cross", layers: 1, rank: 2 },
  tables: [
    { name: "small", numEmbeddings: 7, embedding: EMBEDDINGS.dense },
    { name: "tt", numEmbeddings: 29, embedding: EMBEDDINGS.tt },
    {
      name: "cached",
      numEmbeddings: 29,
      embedding: { ...EMBEDDINGS.cached, cache: { rows: 13, warmupSteps: 1, refreshEvery: 99 } } as never,
    },
    { name: "mixed", numEmbeddings: 29, embedding: EMBEDDINGS.mixed },
  ],
};

/** A model whose cache is full, and its parameters. */
async function modelOf(
  config: DlrmConfig = CONFIG,
): Promise<{ model: Dlrm; before: Map<string, Float64Array>; saved: NamedTensors }> {
  const model = new Dlrm(runtime, config, createRng(1));
  await model.train(randomBatch(config, 11, 1), { kind: "sgd", learningRate: 0 });
  const saved = copyState(await model.state());
  return { model, before: parametersOf(saved), saved };
}

/** How far each parameter moves in one step from a saved state. */
async function moves(
  model: Dlrm,
  saved: NamedTensors,
  batch: Batch,
  optimizer: OptimizerConfig,
  options?: { readonly step?: number; readonly microBatch?: number },
): Promise<Map<string, Float64Array>> {
  await model.load(saved);
  await model.train(batch, optimizer, options);
  const after = parametersOf(await model.state());
  return new Map([...parametersOf(saved)].map(([name, w]) => [name, w.map((x, i) => (after.get(name)?.[i] ?? Number.NaN) - x)]));
}

const isDense = (name: string): boolean => !name.startsWith("table.");

test("the schedule is the reference's without its plateau: base 1, W = 4, ds = 8, nd = 4", (t) => {
  const schedule = { warmupSteps: 4, decayStart: 8, decaySteps: 4 };
  const rates = Array.from({ length: 14 }, (_, i) => learningRateAt(schedule, 1, i + 1));
  t.deepEqual(rates, [0.25, 0.5, 0.75, 1, 1, 1, 1, 1, 0.5625, 0.25, 0.0625, 0.0625, 0.0625, 0.0625]);
  t.is(learningRateAt({}, 0.3, 1000), 0.3);
  t.is(learningRateAt({ decayStart: 1, decaySteps: 1000 }, 0.01, 999), 1e-7, "it does not fall below 1e-7");
  t.is(learningRateAt({ decayStart: 1, decaySteps: 1000 }, 1e-9, 999), 1e-9, "nor rise to it");
  t.is(learningRateAt({ warmupSteps: 10, decayStart: 3, decaySteps: 2 }, 1, 4), 0.4, "a warm-up comes first");
});

test("an optimizer with bad numbers is E_OPTION", (t) => {
  const bad: [Partial<Record<keyof OptimizerConfig, unknown>>, RegExp][] = [
    [{ kind: "lion" }, /"lion" is not known; known are sgd, adagrad, rowWiseAdagrad, adam/],
    [{ embeddingKind: "momentum" }, /"momentum" is not known/],
    [{ momentum: 1 }, /momentum = 1/],
    [{ kind: "adam", momentum: 0.5 }, /momentum = 0.5 is for sgd, not for adam/],
    [{ weightDecay: -1 }, /weightDecay = -1/],
    [{ embeddingL2: Number.NaN }, /embeddingL2 = NaN/],
    [{ clipNorm: 0 }, /clipNorm = 0/],
    [{ learningRate: -1 }, /learningRate = -1/],
    [{ embeddingLearningRate: Number.NaN }, /learningRate = NaN/],
    [{ ttLearningRate: -2 }, /learningRate = -2/],
    [{ cacheLearningRate: -3 }, /learningRate = -3/],
    [{ kind: "adam", beta2: 1 }, /beta2 = 1/],
    [{ kind: "adam", eps: 0 }, /eps = 0/],
    [{ schedule: { warmupSteps: 0.5 } }, /warmupSteps = 0.5/],
    [{ schedule: { decaySteps: 5 } }, /decaySteps = 5 needs decayStart/],
  ];
  for (const [part, message] of bad)
    throwsCode(t, "E_OPTION", () => validateOptimizer({ ...SGD, ...part } as OptimizerConfig), message);
});

test.serial("each group follows its own rate", async (t) => {
  const { model, saved } = await modelOf();
  const batch = randomBatch(CONFIG, 17, 2);
  const rates = { learningRate: 0, embeddingLearningRate: 0, ttLearningRate: 0, cacheLearningRate: 0 };
  for (const [part, group] of [
    [{ learningRate: 1 }, isDense],
    [{ embeddingLearningRate: 1 }, (name: string) => /table\.(small|mixed)\./.test(name)],
    [{ ttLearningRate: 1 }, (name: string) => /core/.test(name)],
    [{ cacheLearningRate: 1 }, (name: string) => /cache\.rows/.test(name)],
  ] as const) {
    for (const clipNorm of [undefined, 1e9]) {
      const moved = await moves(model, saved, batch, { kind: "sgd", ...rates, ...part, ...(clipNorm && { clipNorm }) });
      for (const [name, w] of moved)
        t.is(
          w.some((x) => x !== 0),
          group(name),
          `${name} ${JSON.stringify(part)}`,
        );
    }
  }
  t.deepEqual(
    await moves(model, saved, batch, { kind: "sgd", learningRate: 1, ttLearningRate: 0.5 }),
    await moves(model, saved, batch, {
      kind: "sgd",
      learningRate: 1,
      embeddingLearningRate: 1,
      ttLearningRate: 0.5,
      cacheLearningRate: 0.5,
    }),
    "defaults",
  );
});

test.serial("a schedule scales all rates of its step", async (t) => {
  const { model, saved } = await modelOf();
  const batch = randomBatch(CONFIG, 17, 2);
  const schedule = { warmupSteps: 4, decayStart: 8, decaySteps: 4 };
  const base = { ...SGD, learningRate: FAR };
  const whole = await moves(model, saved, batch, base);
  for (const [step, factor] of [
    [1, 0.25],
    [5, 1],
    [9, 0.5625],
  ]) {
    const moved = await moves(model, saved, batch, { ...base, schedule }, { step });
    for (const [name, w] of whole)
      allClose(
        t,
        moved.get(name) ?? [],
        w.map((x) => factor * x),
        1e-5,
      );
  }
  await rejectsCode(t, "E_OPTION", model.train(batch, SGD, { step: 0 }), /step = 0/);
});

for (const kind of ["sgd", "adagrad", "adam"] as const) {
  test.serial(`${kind}: a batch in parts makes the step of the whole batch, however it is cut`, async (t) => {
    for (const interaction of [{ kind: "dot" }, { kind: "cross", layers: 2, rank: 2 }] as const) {
      const { model, saved } = await modelOf({ ...CONFIG, interaction, lossWeights: [0.5, 2] });
      const batch = randomBatch(CONFIG, 17, 2);
      const optimizer: OptimizerConfig = {
        kind,
        learningRate: FAR,
        eps: 0.1,
        weightDecay: 0.01,
        embeddingL2: 0.1,
        clipNorm: 0.2,
      };
      const plain = kind === "sgd" ? { kind, learningRate: FAR } : optimizer;
      await model.load(saved);
      const loss = await model.train(batch, plain);
      const whole = await moves(model, saved, batch, plain);
      for (const microBatch of [1, 5, 16]) {
        await model.load(saved);
        allClose(t, [await model.train(batch, plain, { microBatch })], [loss], 1e-6);
        const parts = await moves(model, saved, batch, plain, { microBatch });
        for (const [name, w] of whole) allClose(t, parts.get(name) ?? [], w, 1e-5);
      }
      t.deepEqual(await moves(model, saved, batch, plain, { microBatch: 17 }), whole, "one part is the whole, to the bit");
      t.deepEqual(await moves(model, saved, batch, plain, { microBatch: 99 }), whole);
      await rejectsCode(t, "E_OPTION", model.train(batch, plain, { microBatch: 0 }), /microBatch = 0/);
      model.dispose();
    }
  });
}

test.serial("parts of a batch need less scratch memory than the whole", async (t) => {
  const config: DlrmConfig = { ...smallConfig(EMBEDDINGS.dense), bottomMlp: [512, 6], topMlp: [512, 1] };
  const bytes: number[] = [];
  for (const microBatch of [64, 4096]) {
    const model = new Dlrm(runtime, config, createRng(1));
    const before = runtime.scratchBytes;
    await model.train(randomBatch(config, 4096, 1), SGD, { microBatch });
    bytes.push(runtime.scratchBytes - before);
    model.dispose();
  }
  t.true(bytes[1] > 8e6, `the first run left no room to see the second: ${bytes}`);
});

test.serial(
  "a gradient longer than clipNorm is scaled to it, all parts by one factor; a shorter one is left alone",
  async (t) => {
    const { model, saved } = await modelOf();
    const batch = randomBatch(CONFIG, 17, 2);
    const whole = await moves(model, saved, batch, SGD);
    const norm = Math.sqrt([...whole.values()].flatMap((w) => [...w]).reduce((sum, x) => sum + (x / 0.5) ** 2, 0));
    const clipped = await moves(model, saved, batch, { ...SGD, clipNorm: norm / 4 });
    for (const [name, w] of whole)
      allClose(
        t,
        clipped.get(name) ?? [],
        w.map((x) => x / 4),
        1e-4,
      );
    const loose = await moves(model, saved, batch, { ...SGD, clipNorm: norm * 1.001 });
    for (const [name, w] of whole) allClose(t, loose.get(name) ?? [], w, 1e-5);
  },
);

test.serial("weight decay adds λ·w to the gradients of dense parameters, after clipping", async (t) => {
  const { model, saved, before } = await modelOf();
  const batch = randomBatch(CONFIG, 17, 2);
  for (const clip of [{}, { clipNorm: 0.01 }]) {
    const plain = await moves(model, saved, batch, { ...SGD, ...clip });
    const decayed = await moves(model, saved, batch, { ...SGD, ...clip, weightDecay: 0.25 });
    for (const [name, w] of before) {
      const expected = (plain.get(name) ?? w).map((x, i) => x - (isDense(name) ? 0.5 * 0.25 * w[i] : 0));
      allClose(t, decayed.get(name) ?? [], expected, 1e-5);
    }
  }
});

test.serial("the L2 of embeddings draws the rows of the batch to 0, by their occurrences, and no other parameter", async (t) => {
  const { model, saved, before } = await modelOf();
  const ids = Uint32Array.of(3, 5, 3, 6);
  const batch: Batch = { ...randomBatch(CONFIG, 4, 2), bags: CONFIG.tables.map(() => ({ indices: ids })) };
  const plain = await moves(model, saved, batch, SGD);
  const penalised = await moves(model, saved, batch, { ...SGD, embeddingL2: 0.25 });
  const rows = before.get("table.small.table") ?? new Float64Array();
  const pulled = rows.map((w, at) => -0.5 * 0.25 * w * (ids.filter((id) => id === Math.floor(at / 6)).length / 4));
  allClose(
    t,
    penalised.get("table.small.table") ?? [],
    (plain.get("table.small.table") ?? rows).map((x, i) => x + pulled[i]),
    1e-5,
  );
  for (const [name, w] of plain) if (isDense(name)) t.deepEqual(penalised.get(name), w);
  // Of a TT table the rows shrink, not the cores as such: the penalty's gradient is that of ½·λ/B·Σ‖row‖² in the cores.
  const bag = model.tables[1].bag;
  const norm = async (optimizer: OptimizerConfig): Promise<number> => {
    await model.load(saved);
    await model.train(batch, optimizer);
    const dense = (await bag.toDense()).data;
    return ids.reduce((sum, id) => sum + dense.subarray(id * 6, id * 6 + 6).reduce((s, x) => s + x * x, 0), 0);
  };
  t.true((await norm({ ...SGD, embeddingL2: 0.5 })) < (await norm(SGD)));
});

test.serial("momentum is a velocity of the dense layers, and the rows follow plain SGD", async (t) => {
  const { model, saved } = await modelOf();
  const batch = randomBatch(CONFIG, 17, 2);
  const first = await moves(model, saved, batch, { ...SGD, momentum: 0.5 });
  t.deepEqual(first, await moves(model, saved, batch, SGD), "the first step is plain");
  await model.load(saved);
  await model.train(batch, { ...SGD, momentum: 0.5 });
  const middle = copyState(await model.state());
  t.true(middle.has("momentum.top.0.weight") && ![...middle.keys()].some((name) => /table.*momentum/.test(name)));
  const second = await moves(model, middle, batch, { ...SGD, momentum: 0.5 });
  const withoutVelocity = new Map([...middle].filter(([name]) => !name.startsWith("momentum")));
  const plain = await moves(model, withoutVelocity, batch, SGD);
  for (const [name, w] of plain) {
    const expected = isDense(name) ? w.map((x, i) => x + 0.5 * (first.get(name)?.[i] ?? 0)) : w;
    allClose(t, second.get(name) ?? [], expected, 1e-5);
  }
});

test.serial("rows may follow another rule than the dense layers; row-wise Adagrad means Adagrad for those", async (t) => {
  const { model, saved } = await modelOf();
  const batch = randomBatch(CONFIG, 17, 2);
  const kinds = async (optimizer: OptimizerConfig): Promise<string[]> => {
    await model.load(saved);
    await model.train(batch, optimizer);
    const names = [...(await model.state()).keys()];
    const found = ["adagrad", "rowWiseAdagrad", "adam", "momentum"].flatMap((kind) => [
      ...(names.includes(`${kind}.top.0.weight`) ? [`dense ${kind}`] : []),
      ...(names.includes(`table.small.${kind}.table`) ? [`rows ${kind}`] : []),
      ...(names.includes(`table.tt.${kind}.core.1`) ? [`cores ${kind}`] : []),
      ...(names.includes(`table.mixed.${kind}.projection`) ? [`projection ${kind}`] : []),
    ]);
    return found;
  };
  t.deepEqual(await kinds({ kind: "rowWiseAdagrad", learningRate: 0.1 }), [
    "dense adagrad",
    "projection adagrad",
    "rows rowWiseAdagrad",
    "cores rowWiseAdagrad",
  ]);
  t.deepEqual(await kinds({ kind: "adam", embeddingKind: "sgd", learningRate: 0.1 }), ["dense adam"]);
  t.deepEqual(await kinds({ kind: "sgd", embeddingKind: "adam", learningRate: 0.1 }), [
    "rows adam",
    "cores adam",
    "projection adam",
  ]);
});

test.serial("Adam of rows is lazy: a row that was not looked up keeps its value and its means", async (t) => {
  const config = smallConfig(EMBEDDINGS.dense);
  const model = new Dlrm(runtime, config, createRng(1));
  const at = (id: number): Batch => ({
    ...randomBatch(config, 1, 2),
    bags: config.tables.map(() => ({ indices: Uint32Array.of(id) })),
  });
  const adam: OptimizerConfig = { kind: "adam", learningRate: 0.1 };
  await model.train(at(2), adam, { step: 1 });
  const before = copyState(await model.state());
  await model.train(at(3), adam, { step: 2 });
  const after = await model.state();
  for (const name of ["table.small.table", "table.small.adam.table"]) {
    const [old, now] = [before.get(name)?.data ?? [], after.get(name)?.data ?? []];
    // Means and mean squares are one table behind the other.
    const changed = [...old].flatMap((x, i) => (x === now[i] ? [] : [Math.floor(i / 6) % 7]));
    t.deepEqual([...new Set(changed)], [3], name);
  }
});

test.serial(
  "optimizer state of every rule survives a round trip, and the step's number is all that a schedule needs",
  async (t) => {
    for (const optimizer of [
      { ...SGD, momentum: 0.9 },
      { kind: "adam", learningRate: 0.01 },
      { kind: "rowWiseAdagrad", learningRate: 0.1 },
      { kind: "adagrad", learningRate: 0.1, embeddingKind: "adam", clipNorm: 0.5, weightDecay: 0.01, embeddingL2: 0.1 },
    ] as const) {
      const scheduled = { ...optimizer, schedule: { warmupSteps: 3, decayStart: 5, decaySteps: 4 } } as OptimizerConfig;
      const [model, other] = [new Dlrm(runtime, CONFIG, createRng(1)), new Dlrm(runtime, CONFIG, createRng(2))];
      for (let step = 1; step <= 4; step++) await model.train(randomBatch(CONFIG, 11, step), scheduled, { step });
      await other.load(copyState(await model.state()));
      for (let step = 5; step <= 8; step++) {
        for (const each of [model, other]) await each.train(randomBatch(CONFIG, 11, step), scheduled, { step });
      }
      t.is(bitsOf(await other.state()), bitsOf(await model.state()), JSON.stringify(optimizer));
      model.dispose();
      other.dispose();
    }
  },
);

test.serial(
  "a gradient that is not finite is found under clipping and in parts, with the table, before a weight moves",
  async (t) => {
    const { model, saved } = await modelOf();
    const poisoned = copyState(saved);
    poisoned.get("table.mixed.projection")?.data.fill(Number.NaN as never);
    await model.load(poisoned);
    const before = bitsOf(parametersOnly(await model.state()));
    for (const [optimizer, options] of [
      [{ ...SGD, clipNorm: 1 }, {}],
      [SGD, { microBatch: 5 }],
    ] as const) {
      const error = await t.throwsAsync(model.train(randomBatch(CONFIG, 17, 2), optimizer, options));
      t.true(isTtError(error) && error.code === "E_NONFINITE" && error.where.tensor === "mixed", `${error}`);
      t.is(bitsOf(parametersOnly(await model.state())), before);
    }
  },
);

/** A state without what a cache knows of accesses. */
function parametersOnly(state: NamedTensors): NamedTensors {
  return new Map([...state].filter(([name]) => !/\.counter\.|cache\.(step|schedule|candidates|entering)/.test(name)));
}
