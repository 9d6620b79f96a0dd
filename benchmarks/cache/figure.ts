/**
 * Draws the test AUC under each policy over the size of the cache, from the runs in benchmarks/results/cache-training.jsonl or the file
 * given first. Writes benchmarks/results/cache-training.svg, or the file given second.
 */
import { writeFileSync } from "node:fs";
import { parse, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";
import { readResults, settingsOf } from "./summary.ts";

const SHOWN: Readonly<Record<string, string>> = {
  none: "no cache",
  "semi-dynamic": "semi-dynamic (the paper)",
  fbtt: "fbtt (the reference)",
  resident: "resident",
  "static, known counts": "static, counts known",
};

const settings = settingsOf(readResults(process.argv[2] ?? "benchmarks/results/cache-training.jsonl"));
const points = settings.flatMap(({ data, policy, share, auc }) => {
  if (SHOWN[policy] === undefined) return [];
  const point = { data, policy: SHOWN[policy], auc };
  if (policy !== "none") return [{ ...point, share: 100 * share }];
  // A line at the level of tables without a cache.
  const shares = settings.filter((other) => other.data === data && other.share > 0).map((other) => 100 * other.share);
  return [Math.min(...shares), Math.max(...shares)].map((end) => ({ ...point, share: end }));
});
const names = Object.values(SHOWN);
const spec: TopLevelSpec = {
  title: { text: "Test AUC by the size of the cache and its policy", subtitle: "means of three seeds" },
  data: { values: points },
  columns: 2,
  facet: { field: "data", type: "nominal", title: null, sort: [...new Set(points.map(({ data }) => data))] },
  spec: {
    width: 260,
    height: 180,
    mark: { type: "line", point: { size: 30 }, strokeWidth: 1.5 },
    encoding: {
      x: {
        field: "share",
        type: "quantitative",
        scale: { type: "log", nice: false },
        title: "cached rows, % of the table",
        axis: { tickCount: 4 },
      },
      y: { field: "auc", type: "quantitative", scale: { zero: false }, title: "test AUC" },
      color: { field: "policy", type: "nominal", title: null, sort: names, scale: { domain: names, scheme: "tableau10" } },
      strokeDash: { condition: { test: "datum.policy === 'no cache'", value: [4, 3] }, value: [1, 0] },
    },
  },
  resolve: { scale: { x: "independent", y: "independent" } },
  config: { font: "sans-serif", legend: { orient: "bottom", columns: 3, labelLimit: 300 } },
  background: "white",
};
const view = new View(parse(compile(spec).spec), { renderer: "none" });
writeFileSync(process.argv[3] ?? "benchmarks/results/cache-training.svg", await view.toSVG());
view.finalize();
