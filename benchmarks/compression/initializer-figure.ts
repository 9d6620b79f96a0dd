/**
 * Draws how entries of a table are distributed that cores of each initializer stand for, against the Gaussian that the paper
 * aims at and the uniform distribution of an uncompressed table. Writes benchmarks/results/initializers.svg, or the file given.
 */
import { writeFileSync } from "node:fs";
import { createRng } from "@tt-rec/tensor";
import { createTTShape, type Initializer, initializeCores, toDense } from "@tt-rec/tt-math";
import type { TopLevelSpec } from "vega-lite";
import { renderSvg } from "../common/render-svg.ts";

const ROWS = 142_572;
const RANKS = [1, 4, 16];
const BINS = 60;
const RANGE = 3;

const INITIALIZERS: Record<string, Initializer> = {
  gaussian: { kind: "gaussian" },
  uniform: { kind: "uniform" },
  "sampled-gaussian": { kind: "sampled-gaussian", scaling: "variance-matched" },
  "approx-uniform": { kind: "approx-uniform" },
};
const TARGETS: Record<string, (x: number) => number> = {
  "N(0, 1/3n)": (x) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI),
  "U(−1/√n, 1/√n)": (x) => (Math.abs(x) < Math.sqrt(3) ? 1 / (2 * Math.sqrt(3)) : 0),
};

interface Point {
  readonly rank: string;
  readonly initializer: string;
  readonly x: number;
  readonly density: number;
}

const points: Point[] = [];
const width = (2 * RANGE) / BINS;
for (const ranks of RANKS) {
  const shape = createTTShape({ numEmbeddings: ROWS, embeddingDim: 16, ranks });
  const sigma = 1 / Math.sqrt(3 * ROWS);
  for (const [name, initializer] of Object.entries(INITIALIZERS)) {
    const table = toDense({ shape, cores: initializeCores(shape, createRng(2021), initializer) });
    const counts = new Float64Array(BINS);
    for (const value of table) {
      const bin = Math.floor((value / sigma + RANGE) / width);
      if (bin >= 0 && bin < BINS) counts[bin]++;
    }
    for (const [bin, count] of counts.entries()) {
      points.push({
        rank: `R = ${ranks}`,
        initializer: name,
        x: -RANGE + (bin + 0.5) * width,
        // One value in a bin of its own would hide everything else.
        density: Math.min(1.2, count / table.length / width),
      });
    }
  }
  for (const [name, density] of Object.entries(TARGETS)) {
    for (let bin = 0; bin < BINS; bin++) {
      const x = -RANGE + (bin + 0.5) * width;
      points.push({ rank: `R = ${ranks}`, initializer: name, x, density: density(x) });
    }
  }
}

const names = [...Object.keys(INITIALIZERS), ...Object.keys(TARGETS)];
const spec: TopLevelSpec = {
  title: {
    text: "Entries of a table of 142,572 x 16 drawn as three TT-cores",
    subtitle: "in units of the target deviation 1/√(3n); densities above 1.2 are cut off",
  },
  data: { values: points },
  facet: { column: { field: "rank", type: "nominal", title: null, sort: RANKS.map((rank) => `R = ${rank}`) } },
  spec: {
    width: 260,
    height: 220,
    mark: { type: "line", interpolate: "step", strokeWidth: 1.5 },
    encoding: {
      x: { field: "x", type: "quantitative", title: "entry / σ" },
      y: { field: "density", type: "quantitative", title: "density" },
      color: { field: "initializer", type: "nominal", title: null, sort: names, scale: { domain: names, scheme: "tableau10" } },
      strokeDash: {
        condition: { test: { field: "initializer", oneOf: Object.keys(TARGETS) }, value: [4, 3] },
        value: [1, 0],
      },
    },
  },
  config: { font: "sans-serif", legend: { orient: "bottom" } },
  background: "white",
};
writeFileSync(process.argv[2] ?? "benchmarks/results/initializers.svg", await renderSvg(spec));
