import type { TopLevelSpec } from "vega-lite";

/** A row of a chart's data. */
export type Datum = Readonly<Record<string, string | number>>;

interface Axis {
  readonly field: string;
  readonly title: string;
  readonly scale?: "linear" | "log";
  /** A d3 format of the ticks, such as `~s`. */
  readonly format?: string;
  readonly zero?: boolean;
}

/** A line chart, one line a value of `series`, in columns by `facet`. */
export interface LineChart {
  readonly data: readonly Datum[];
  readonly x: Axis;
  readonly y: Axis;
  readonly series: string;
  readonly facet?: string;
  /** Height of a level line to compare with. */
  readonly level?: number;
}

const CONFIG = { font: "sans-serif", legend: { orient: "bottom", columns: 4 } } as const;

/** Draws a line chart. */
export function lineChart({ data, x, y, series, facet, level }: LineChart): TopLevelSpec {
  const names = [...new Set(data.map((datum) => String(datum[series])))];
  const axis = ({ field, title, scale = "linear", format, zero }: Axis, ticks = false) => {
    const values = [...new Set(data.map((datum) => Number(datum[field])))];
    // A logarithmic axis of few values has ticks at those, and ends at them.
    const few = ticks && scale === "log" && values.length < 10;
    return {
      ...{ field, type: "quantitative" as const, title },
      scale: { type: scale, ...(scale === "linear" ? { zero: zero ?? true } : { nice: !few }), ...(few && { padding: 12 }) },
      axis: { ...(format !== undefined && { format }), ...(few && { values: values.sort((a, b) => a - b) }) },
    };
  };
  const lines = {
    mark: { type: "line" as const, point: true, tooltip: true, strokeWidth: 2 },
    encoding: {
      x: axis(x, true),
      y: axis(y),
      color: {
        field: series,
        type: "nominal" as const,
        title: null,
        ...(names.length === 1 && { legend: null }),
        sort: names,
        scale: { domain: names, scheme: "tableau10" as const },
      },
    },
  };
  const rule = { mark: { type: "rule" as const, strokeDash: [4, 3], color: "#888" }, encoding: { y: { datum: level ?? 0 } } };
  const layer = level === undefined ? [lines] : [lines, rule];
  const size = facet === undefined ? { width: 480, height: 260 } : { width: 300, height: 220 };
  const common = { data: { values: data as Datum[] }, config: CONFIG, background: "white" };
  if (facet === undefined) return { ...common, ...size, layer } as TopLevelSpec;
  return {
    ...common,
    facet: { column: { field: facet, type: "nominal", title: null } },
    spec: { ...size, layer },
    resolve: { scale: { x: "independent", y: "independent" } },
  } as TopLevelSpec;
}

/** A chart of horizontal bars with their numbers; of points where the axis does not begin at zero, since a bar would lie. */
export function barChart(data: readonly Datum[], label: string, value: Axis): TopLevelSpec {
  const names = data.map((datum) => String(datum[label]));
  const scale = value.scale === "log" ? { type: "log" as const } : { type: "linear" as const, zero: value.zero ?? true };
  return {
    data: { values: data as Datum[] },
    ...{ width: 420, height: 26 * names.length, config: CONFIG, background: "white" },
    encoding: {
      y: { field: label, type: "nominal", sort: names, title: null, axis: { labelLimit: 260 } },
      x: { field: value.field, type: "quantitative", title: value.title, scale },
    },
    layer: [
      value.zero === false
        ? { mark: { type: "point", filled: true, size: 90, color: "#4c78a8", tooltip: true } }
        : { mark: { type: "bar", height: 16, color: "#4c78a8", tooltip: true } },
      {
        mark: { type: "text", align: "left", dx: 8 },
        encoding: { text: { field: value.field, format: value.format ?? ".3~s" } },
      },
    ],
  } as TopLevelSpec;
}
