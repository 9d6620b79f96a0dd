import { createRng } from "@tt-rec/tensor";
import test from "ava";
import { createTTShape, type Initializer, initializeCores, type TTShapeOptions, toDense } from "../src/index.ts";
import { tailNormal, tailSecondMoment } from "../src/initialize/tail-normal.ts";

const near = (actual: number, expected: number, tolerance: number): boolean => Math.abs(actual - expected) <= tolerance;

function moments(x: Float32Array): { mean: number; deviation: number; kurtosis: number } {
  const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
  const second = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length;
  const fourth = x.reduce((sum, value) => sum + (value - mean) ** 4, 0) / x.length;
  return { mean, deviation: Math.sqrt(second), kurtosis: fourth / second ** 2 };
}

function sampledTable(options: TTShapeOptions, initializer: Initializer): Float32Array {
  const shape = createTTShape(options);
  return toDense({ shape, cores: initializeCores(shape, createRng(2021), initializer) });
}

test("tail draws have the distribution of a normal that rejects |x| < 2", (t) => {
  const rng = createRng(7);
  const draws = Float64Array.from({ length: 400_000 }, () => tailNormal(rng));
  const share = (of: (x: number) => boolean): number => draws.filter(of).length / draws.length;
  const mean = (of: (x: number) => number): number => draws.reduce((sum, x) => sum + of(x), 0) / draws.length;
  t.true(draws.every((x) => Math.abs(x) >= 2 && Math.abs(x) < 8));
  t.true(near(mean(Math.abs), 2.373216, 0.003));
  t.true(near(tailSecondMoment, 5.746431, 5e-7));
  t.true(
    near(
      mean((x) => x * x),
      5.746431,
      0.015,
    ),
  );
  t.true(
    near(
      share((x) => x > 0),
      0.5,
      0.004,
    ),
  );
  // Q(2.5)/Q(2) and Q(3)/Q(2).
  t.true(
    near(
      share((x) => Math.abs(x) > 2.5),
      0.272949,
      0.003,
    ),
  );
  t.true(
    near(
      share((x) => Math.abs(x) > 3),
      0.059336,
      0.0015,
    ),
  );
});

test("compat gives 220.4 times the target at R = 16 and three cores, with the shape of a Gaussian", (t) => {
  const options = { numEmbeddings: 142_572, embeddingDim: 16, ranks: 16 };
  const table = sampledTable(options, { kind: "sampled-gaussian", scaling: "compat" });
  const target = 1 / Math.sqrt(3 * options.numEmbeddings);
  const { mean, deviation, kurtosis } = moments(table);
  t.true(near(deviation / target, 220.4, 220.4 * 0.02), `${deviation / target}`);
  t.true(near(mean / deviation, 0, 0.01), `${mean / deviation}`);
  t.true(near(kurtosis, 3, 0.1), `${kurtosis}`);
});

test("compat scales each core by the cube root of the target whatever the number of cores", (t) => {
  const shape = createTTShape({ numEmbeddings: 1000, embeddingDim: 16, ranks: 8, cores: 2 });
  const scale = (1 / Math.sqrt(3000)) ** (1 / 3);
  const rng = createRng(3);
  for (const core of initializeCores(shape, createRng(3), { kind: "sampled-gaussian", scaling: "compat" })) {
    for (const value of core) if (value !== Math.fround(scale * tailNormal(rng))) t.fail();
    t.true(core.every((value) => Math.abs(value) >= Math.fround(2 * scale)));
  }
});

test("variance-matched hits the target for 2 to 5 cores, clipped and unequal ranks", (t) => {
  const cases: [TTShapeOptions, number][] = [
    [{ numEmbeddings: 142_572, embeddingDim: 16, ranks: 16 }, 0.02],
    [{ numEmbeddings: 20_000, embeddingDim: 24, ranks: 8, cores: 2 }, 0.02],
    [
      { numEmbeddings: 100_000, embeddingDim: 16, ranks: [4, 13, 7], rowShape: [17, 19, 18, 18], columnShape: [2, 2, 2, 2] },
      0.06,
    ],
    [{ numEmbeddings: 100_000, embeddingDim: 32, ranks: 9, cores: 5 }, 0.1],
  ];
  for (const [options, tolerance] of cases) {
    const target = 1 / Math.sqrt(3 * options.numEmbeddings);
    const { mean, deviation } = moments(sampledTable(options, { kind: "sampled-gaussian", scaling: "variance-matched" }));
    t.true(near(deviation / target, 1, tolerance), `${deviation / target}`);
    t.true(near(mean / target, 0, 0.03), `${mean / target}`);
  }
});

test("a target of one's own replaces 1/√(3n)", (t) => {
  const options = { numEmbeddings: 142_572, embeddingDim: 16, ranks: 8 };
  const own = sampledTable(options, { kind: "sampled-gaussian", scaling: "variance-matched", standardDeviation: 0.25 });
  t.true(near(moments(own).deviation, 0.25, 0.25 * 0.03), `${moments(own).deviation}`);
});

test("the same seed gives the same bits, another seed others", (t) => {
  const shape = createTTShape({ numEmbeddings: 1000, embeddingDim: 16, ranks: 8 });
  const initializer: Initializer = { kind: "sampled-gaussian", scaling: "variance-matched" };
  const draw = (seed: number): Float32Array[] => initializeCores(shape, createRng(seed), initializer);
  t.deepEqual(draw(1), draw(1));
  t.notDeepEqual(draw(1), draw(2));
});

test("every kind hits its moments for 2 to 5 cores: mean, deviation, kurtosis, and the share near zero", (t) => {
  // P(|x| < σ/10) is 0.0797 for a normal distribution, 0.0577 for a uniform one.
  const shapes: TTShapeOptions[] = [
    { numEmbeddings: 60_000, embeddingDim: 16, ranks: 24, cores: 2 },
    { numEmbeddings: 142_572, embeddingDim: 16, ranks: 16 },
    { numEmbeddings: 100_000, embeddingDim: 16, ranks: [13, 17, 11], rowShape: [17, 19, 18, 18], columnShape: [2, 2, 2, 2] },
    { numEmbeddings: 100_000, embeddingDim: 32, ranks: 12, cores: 5 },
  ];
  for (const options of shapes) {
    // A Gaussian vector or matrix of R columns multiplies the kurtosis by 1 + 2/R; lighter tails of the entries lower it.
    const ranks = createTTShape(options).ranks.slice(1, -1);
    const gaussian = ranks.reduce((kurtosis, rank) => kurtosis * (1 + 2 / rank), 3);
    for (const [initializer, lowest, highest, nearZeroFrom, nearZeroTo] of [
      [{ kind: "gaussian" }, 0.8 * gaussian, 1.2 * gaussian, 0.078, 0.12],
      [{ kind: "uniform" }, 2.7, gaussian, 0.078, 0.12],
      [{ kind: "sampled-gaussian", scaling: "variance-matched" }, 2.7, gaussian, 0.078, 0.1],
      [{ kind: "approx-uniform" }, 1.75, 1.85, 0.055, 0.06],
    ] as const) {
      const table = sampledTable(options, initializer);
      const target = 1 / Math.sqrt(3 * options.numEmbeddings);
      const { mean, deviation, kurtosis } = moments(table);
      const nearZero = table.filter((x) => Math.abs(x) < target / 10).length / table.length;
      const name = `${initializer.kind} ${options.numEmbeddings}: ${[mean / target, deviation / target, kurtosis, nearZero]}`;
      t.true(near(mean / target, 0, 0.03), name);
      t.true(near(deviation / target, 1, 0.12), name);
      t.true(kurtosis > lowest && kurtosis < highest, name);
      t.true(nearZero > nearZeroFrom && nearZero < nearZeroTo, name);
    }
  }
});

test("products of Gaussians pile up at zero at rank 1; those of sampled Gaussians and approx-uniform stay away from it", (t) => {
  const options = { numEmbeddings: 142_572, embeddingDim: 16, ranks: 1 };
  const target = 1 / Math.sqrt(3 * options.numEmbeddings);
  const nearZero = (initializer: Initializer): number =>
    sampledTable(options, initializer).filter((x) => Math.abs(x) < target / 10).length / (16 * options.numEmbeddings);
  t.true(nearZero({ kind: "gaussian" }) > 0.25);
  t.true(nearZero({ kind: "sampled-gaussian", scaling: "variance-matched" }) === 0);
  t.true(nearZero({ kind: "approx-uniform" }) === 0);
});

test("every entry of every core is drawn, so that no rank is dead", (t) => {
  const shape = createTTShape({
    numEmbeddings: 1000,
    embeddingDim: 8,
    rowShape: [10, 10, 10],
    columnShape: [2, 2, 2],
    ranks: [3, 7],
  });
  for (const kind of ["gaussian", "uniform", "approx-uniform"] as const) {
    for (const core of initializeCores(shape, createRng(3), { kind })) t.true(core.every((value) => value !== 0));
  }
});

test("a target that is not positive is refused", (t) => {
  const shape = createTTShape({ numEmbeddings: 1000, embeddingDim: 16, ranks: 8 });
  for (const standardDeviation of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
    t.throws(() => initializeCores(shape, createRng(1), { kind: "sampled-gaussian", scaling: "compat", standardDeviation }), {
      code: "E_OPTION",
      message: `standardDeviation = ${standardDeviation} is not a positive number`,
    });
  }
});
