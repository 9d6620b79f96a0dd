import { execFile } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { significant } from "@tt-rec/testing";
import { lineChart } from "./harness/charts.ts";
import type { Figure, FigureContext, Line, Measurement, PageTable } from "./harness/figure.ts";
import { bytesText, countText, timesText } from "./harness/format.ts";
import { runFigure } from "./harness/run-figure.ts";
import { sweeps } from "./scale/sweeps.ts";

const AXES = {
  rows: "rows of the table",
  ranks: "TT-rank",
  batch: "lookups a batch",
  tables: "tables",
  threads: "threads",
} as const;
type Axis = keyof typeof AXES;
const STEPS = { tiny: 3, quick: 100, full: 2000 } as const;
const BATCH = { tiny: 128, quick: 2048, full: 2048 } as const;
const RANKS = 32;
const LIMIT_BYTES = 2e9;

/** Time and memory as everything grows, and the largest model of the deck on a small machine. */
const figure: Figure = {
  name: "scale",
  title: "Scale",
  deck: "the Terabyte model has 49 million rows of 64 numbers, 12.58 GB, and is trained on GPUs.",
  async *measure(context) {
    yield* sweeps(context);
    yield await terabyte(context);
  },
  page(lines) {
    const swept = lines.filter(({ case: { axis } }) => axis !== undefined);
    return {
      charts: (["rows", "ranks", "batch", "tables"] as const).map((axis) => ({
        name: axis,
        caption: `Processor time of a step by ${AXES[axis]}, one thread.`,
        spec: lineChart({
          data: of(swept, axis).map(({ case: { value }, median }) => ({ value: Number(value), ms: median, what: "TT" })),
          x: { field: "value", title: AXES[axis], scale: "log", format: "~s" },
          y: { field: "ms", title: "ms a step", scale: "log" },
          series: "what",
        }),
      })),
      tables: [...(Object.keys(AXES) as Axis[]).map((axis) => sweepTable(swept, axis)), terabyteTable(lines)],
      text: [
        "Unless the table says otherwise: 10,000,000 rows, 16 columns, R = 16, 2,048 lookups a batch, SGD. The time of a TT lookup does not depend on the number of \
rows but through the number of digits that fall together, and the cores grow with its cube root.",
        "The Terabyte model is trained in a process of its own; its peak memory is that of the whole process: Node, kernels, optimizer, batches. Batches are drawn, so \
nothing is said of its accuracy.",
      ],
      claims: [
        {
          deck: "Terabyte's 12.58 GB model (the deck: V100s of 16 GB)",
          ours: `peak of ${bytesText(terabyteLine(lines).median)}, ${significant(terabyteLine(lines).also.stepMs)} ms a step of ${terabyteLine(lines).case.batchSize}`,
          verdict: terabyteLine(lines).median < LIMIT_BYTES ? "reached" : "not reached",
          reason: `trained in TT form on ${terabyteLine(lines).case.threads} threads within 2 GB of memory`,
        },
      ],
    };
  },
};

async function terabyte({ mode, seed, progress }: FigureContext): Promise<Measurement> {
  const threads = Math.min(2, availableParallelism());
  const program = fileURLToPath(new URL("./scale/terabyte-model.js", import.meta.url));
  const [steps, batchSize] = [STEPS[mode], BATCH[mode]];
  progress("training the Terabyte model");
  const args = [program, ...[steps, batchSize, RANKS, threads, seed].map(String)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const { peak, ...also } = JSON.parse(stdout) as Record<string, number>;
  return {
    id: "terabyte",
    case: { model: "terabyte", ranks: RANKS, tables: 7, embeddingDim: 64, batchSize, steps, threads },
    ...{ engine: "wasm-relaxed", phase: "train", unit: "bytes of peak memory", values: [peak], also },
    data: `batches of ${batchSize}, one id a table by p(r) ∝ r^-1.05, all of Terabyte's cardinalities`,
  };
}

function of(lines: readonly Line[], axis: Axis): Line[] {
  return lines.filter(({ case: c }) => c.axis === axis);
}

function sweepTable(lines: readonly Line[], axis: Axis): PageTable {
  const own = of(lines, axis);
  return {
    caption: `${AXES[axis]}: ${own[0].data}`,
    head: [AXES[axis], axis === "threads" ? "ms a step, wall" : "ms a step", "parameters"],
    rows: own.map(({ case: { value }, median, also }) => [countText(Number(value)), significant(median), bytesText(also.bytes)]),
  };
}

function terabyteLine(lines: readonly Line[]): Line {
  return lines.find(({ case: { model } }) => model === "terabyte") as Line;
}

function terabyteTable(lines: readonly Line[]): PageTable {
  const { median, also, case: c } = terabyteLine(lines);
  return {
    caption: `The Terabyte model, 49,126,297 rows of 64 numbers, 7 TT tables at R = ${c.ranks}, ${c.steps} steps of ${c.batchSize} on ${c.threads} threads`,
    head: ["", ""],
    rows: [
      ["uncompressed tables", bytesText(also.uncompressed)],
      ["tables in TT form", `${bytesText(also.bytes)}, ${timesText(also.uncompressed / also.bytes)} smaller`],
      ["peak memory of the process", bytesText(median)],
      ["time of a step", `${significant(also.stepMs)} ms`],
    ],
  };
}

await runFigure(figure);
