import type { Machine } from "@tt-rec/testing";
import type { TopLevelSpec } from "vega-lite";

/** How much is measured: `tiny` shows in seconds that a figure runs, `quick` takes minutes, `full` as long as it takes. */
export type Mode = "tiny" | "quick" | "full";

/** What a figure gets. */
export interface FigureContext {
  /** How much to measure. */
  readonly mode: Mode;
  /** Seed of all that is drawn. */
  readonly seed: number;
  /** Tells how far the figure is. */
  readonly progress: (text: string) => void;
}

/** One measured case. */
export interface Measurement {
  /** Last part of the id of the line, stable over time: `kaggle/top7/R32`. */
  readonly id: string;
  /** Parameters of the workload. */
  readonly case: Readonly<Record<string, string | number | boolean>>;
  /** What ran: `wasm-relaxed`, `arithmetic`, the name of a rival. */
  readonly engine: string;
  /** Part of the job. */
  readonly phase: string;
  /** Unit of the numbers. */
  readonly unit: string;
  /** The values of all runs; their median and percentiles are recorded. */
  readonly values: readonly number[];
  /** What else was measured in the same runs, medians. */
  readonly also?: Readonly<Record<string, number>>;
  /** What it was measured on: the data set and its size, or how lookups were drawn. */
  readonly data: string;
}

/** A line of a figure's JSON file: the fields of docs/formats.md, and where the number comes from. */
export interface Line extends Omit<Measurement, "values" | "also"> {
  readonly median: number;
  readonly p10: number;
  readonly p90: number;
  readonly runs: number;
  readonly also: Readonly<Record<string, number>>;
  readonly mode: Mode;
  readonly seed: number;
  readonly command: string;
  readonly machine: Machine;
  readonly commit: string;
  readonly date: string;
}

/** A table of a page; the first column stands to the left, the others to the right. */
export interface PageTable {
  readonly caption: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** A chart of a page. */
interface PageChart {
  /** Last part of its file name; "" for a figure with one chart. */
  readonly name: string;
  /** What it shows, in a sentence. */
  readonly caption: string;
  readonly spec: TopLevelSpec;
}

/** A statement of the deck beside what was found. */
export interface Claim {
  readonly deck: string;
  readonly ours: string;
  readonly verdict: "reached" | "not reached" | "not tested";
  /** Why it is not reached or not tested; what to keep in mind where it is. */
  readonly reason: string;
}

/** What is shown of a figure; a function of its lines, so that a page can be made anew without measuring. */
export interface Page {
  readonly charts: readonly PageChart[];
  readonly tables: readonly PageTable[];
  /** Paragraphs that explain the numbers. */
  readonly text: readonly string[];
  readonly claims: readonly Claim[];
}

/** A figure or table of the deck. */
export interface Figure {
  /** Name of its file and of its results. */
  readonly name: string;
  readonly title: string;
  /** What the deck shows, in a sentence or two. */
  readonly deck: string;
  /** Measures, one case after the other. */
  measure(context: FigureContext): AsyncIterable<Measurement>;
  /** Lays out what was measured. */
  page(lines: readonly Line[]): Page;
}
