import type { RunRecord } from "../run/run-record.ts";
import { comparisonCharts } from "./charts.ts";
import { renderSvg } from "./render-svg.ts";

const STYLE = `
body { font: 15px/1.5 system-ui, sans-serif; color: #1c1c1c; background: #fff; max-width: 72rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.05rem; margin: 0 0 .5rem }
table { border-collapse: collapse; margin: 1rem 0 2rem } th, td { padding: .35rem .9rem; text-align: right; border-bottom: 1px solid #ddd }
th:first-child, td:first-child { text-align: left } .charts { display: flex; flex-wrap: wrap; gap: 2rem } figure { margin: 0 }
svg { max-width: 100%; height: auto } code { background: #f3f3f3; padding: .1rem .3rem; overflow-wrap: anywhere } .note { color: #666; max-width: 46rem }
`;

/** A self-contained page that compares runs: the table, and charts as inline SVG. */
export async function renderReport(
  records: readonly RunRecord[],
  head: readonly string[],
  rows: readonly (readonly string[])[],
): Promise<string> {
  const figures: string[] = [];
  for (const { title, spec } of comparisonCharts(records)) {
    figures.push(`<figure><h2>${escapeHtml(title)}</h2>${await renderSvg(spec)}</figure>`);
  }
  const cells = (tag: string, values: readonly string[]): string =>
    `<tr>${values.map((value) => `<${tag}>${escapeHtml(value)}</${tag}>`).join("")}</tr>`;
  const settings = records.map(
    ({ name, settings, steps }) =>
      `<li>${escapeHtml(name)}, ${steps} steps: <code>${escapeHtml(JSON.stringify(settings))}</code></li>`,
  );
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>tt-rec: comparison of runs</title><style>${STYLE}</style></head>
<body>
<h1>Comparison of ${records.length} runs</h1>
<table><thead>${cells("th", head)}</thead><tbody>${rows.map((row) => cells("td", row)).join("")}</tbody></table>
<div class="charts">${figures.join("\n")}</div>
<p class="note">Accuracy, AUC and log-loss are those of the finished model on the test rows. Embeddings are the bytes
that a deployed model needs, cached rows and their ids included, and the ratio is that of the uncompressed tables to them; "in
training" adds optimizer state and access counters. Step time is the median. Hit rates are before deduplication and include the warm-up.</p>
<h2>Settings</h2><ul>${settings.join("")}</ul>
</body>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
