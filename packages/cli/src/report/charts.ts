import type { TopLevelSpec } from "vega-lite";
import type { RunRecord } from "../run/run-record.ts";

const SIZE = { width: 520, height: 240 } as const;

/** A chart with its caption. */
export interface Chart {
  /** What it shows, in one line. */
  readonly title: string;
  /** The drawing. */
  readonly spec: TopLevelSpec;
}

/** The charts of a comparison; those without data are left out. */
export function comparisonCharts(records: readonly RunRecord[]): Chart[] {
  const names = records.map(({ name }) => name);
  const curve = records.flatMap(({ name, curve }) => curve.map((point) => ({ model: name, ...point })));
  const evaluations = records.flatMap(({ name, evaluations }) =>
    evaluations.map(({ step, auc }) => ({ model: name, step, auc })),
  );
  const hits = curve.filter(({ hitRate }) => hitRate !== undefined);
  const sizes = records.map(({ name, embeddingBytes }) => ({ model: name, megabytes: embeddingBytes / 1e6 }));
  return [
    { title: "Training loss", spec: lineChart(curve, names, "loss", "log-loss in nats") },
    ...(evaluations.length > 0
      ? [{ title: "AUC on the validation rows", spec: lineChart(evaluations, names, "auc", "AUC") }]
      : []),
    ...(hits.length > 0 ? [{ title: "Cache hit rate", spec: lineChart(hits, names, "hitRate", "share of lookups", "%") }] : []),
    { title: "Bytes of the embeddings", spec: sizeChart(sizes, names) },
  ];
}

function lineChart(values: object[], names: readonly string[], field: string, title: string, format?: string): TopLevelSpec {
  return {
    ...SIZE,
    data: { values: values as Record<string, unknown>[] },
    mark: { type: "line", point: values.length < 40, strokeWidth: 2, interpolate: "monotone" },
    encoding: {
      x: { field: "step", type: "quantitative", title: "training step" },
      y: { field, type: "quantitative", title, scale: { zero: format === "%" }, axis: format === undefined ? {} : { format } },
      color: modelColor(names),
    },
  };
}

function sizeChart(values: object[], names: readonly string[]): TopLevelSpec {
  return {
    ...SIZE,
    height: 40 * names.length,
    data: { values: values as Record<string, unknown>[] },
    encoding: {
      y: { field: "model", type: "nominal", sort: [...names], title: null },
      x: { field: "megabytes", type: "quantitative", title: "MB" },
    },
    layer: [
      { mark: { type: "bar", height: 20 }, encoding: { color: { ...modelColor(names), legend: null } } },
      { mark: { type: "text", align: "left", dx: 4 }, encoding: { text: { field: "megabytes", format: ".3~s" } } },
    ],
  };
}

function modelColor(names: readonly string[]) {
  return {
    field: "model",
    type: "nominal",
    sort: [...names],
    title: null,
    legend: { orient: "top" },
    scale: { domain: [...names], scheme: "tableau10" },
  } as const;
}
