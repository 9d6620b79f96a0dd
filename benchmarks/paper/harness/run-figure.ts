// Node 20 has relaxed SIMD only behind a flag, which must be set before any kernel is compiled.
import "@tt-rec/testing/relaxed-simd";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { describeMachine, describeSource, quantile } from "@tt-rec/testing";
import { renderSvg } from "../../common/render-svg.ts";
import type { Figure, Line, Measurement, Mode } from "./figure.ts";
import { renderPage } from "./render-page.ts";

const ROOT = fileURLToPath(new URL("../../../..", import.meta.url));

/** Where results lie. */
export const RESULTS: string = join(ROOT, "benchmarks/results/paper");

/**
 * The command line of a figure: measures it and writes `<name>.jsonl`, `.md`, and a `.vl.json` and an `.svg` a chart. Options:
 * `--tiny`, `--quick` (default) or `--full`, `--seed N`, `--out FOLDER`, and `--page`, which measures nothing and makes page and
 * charts from the JSON lines that are there.
 */
export async function runFigure(figure: Figure): Promise<void> {
  const { values } = parseArgs({
    options: {
      tiny: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      full: { type: "boolean", default: false },
      page: { type: "boolean", default: false },
      seed: { type: "string", default: "1" },
      out: { type: "string", default: RESULTS },
    },
  });
  const mode: Mode = values.full ? "full" : values.tiny ? "tiny" : "quick";
  const out = resolve(values.out);
  mkdirSync(out, { recursive: true });
  const jsonl = join(out, `${figure.name}.jsonl`);
  if (!values.page) {
    const lines = await measureAll(figure, mode, Number(values.seed));
    writeFileSync(jsonl, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  }
  const lines = readLines(jsonl);
  const page = figure.page(lines);
  for (const { name, spec } of page.charts) {
    const base = join(out, chartFile(figure, name));
    writeFileSync(`${base}.vl.json`, `${JSON.stringify(spec)}\n`);
    writeFileSync(`${base}.svg`, await renderSvg(spec));
  }
  writeFileSync(join(out, `${figure.name}.claims.json`), `${JSON.stringify(page.claims, undefined, 2)}\n`);
  writeFileSync(join(out, `${figure.name}.md`), renderPage(figure, page, lines));
  console.error(`${figure.name}: ${lines.length} lines, in ${relative(process.cwd(), out) || "."}`);
}

/** Name of a chart's files, without an ending. */
export function chartFile(figure: Pick<Figure, "name">, chart: string): string {
  return chart === "" ? figure.name : `${figure.name}-${chart}`;
}

async function measureAll(figure: Figure, mode: Mode, seed: number): Promise<Line[]> {
  const start = performance.now();
  const seconds = (): string => `${((performance.now() - start) / 1000).toFixed(0)} s`;
  const progress = (text: string): void => console.error(`${figure.name}, ${seconds()}: ${text}`);
  const source = {
    ...{ mode, seed, command: `node benchmarks/dist/paper/${figure.name}.js --${mode} --seed ${seed}` },
    ...{ machine: describeMachine("off"), commit: describeSource() },
  };
  const lines: Line[] = [];
  for await (const measurement of figure.measure({ mode, seed, progress })) {
    lines.push({ ...lineOf(figure, measurement), ...source, date: new Date().toISOString() });
    progress(measurement.id);
  }
  return lines;
}

function lineOf({ name }: Figure, { id, values, also = {}, ...rest }: Measurement) {
  return {
    ...{ id: `paper/${name}/${id.replaceAll(/[ ,]+/g, "-")}`, ...rest, also, runs: values.length },
    ...{ median: quantile(values, 0.5), p10: quantile(values, 0.1), p90: quantile(values, 0.9) },
  };
}

function readLines(path: string): Line[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Line);
}
