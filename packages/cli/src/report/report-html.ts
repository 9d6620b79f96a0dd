import type { RunRecord } from "../run/run-record.ts";
import { comparisonCharts } from "./charts.ts";
import { escapeHtml, htmlPage, htmlTable } from "./page.ts";
import { renderSvg } from "./render-svg.ts";

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
  const settings = records.map(
    ({ name, settings, steps }) =>
      `<li>${escapeHtml(name)}, ${steps} steps: <code>${escapeHtml(JSON.stringify(settings))}</code></li>`,
  );
  const [record] = records;
  const title = records.length === 1 ? `The run ${record.name}` : `Comparison of ${records.length} runs`;
  return htmlPage(
    `tt-rec: ${title}`,
    `<h1>${escapeHtml(title)}</h1>
${htmlTable(head, rows)}
<div class="charts">${figures.join("\n")}</div>
<p class="note">Accuracy, AUC and log-loss are those of the best model, or of the last where none was ranked, on the test rows. Embeddings are the bytes
that a deployed model needs, cached rows and their ids included, and the ratio is that of the uncompressed tables to them; "in
training" adds optimizer state and access counters. Step time is the median. Hit rates are before deduplication and include the warm-up.</p>
<h2>Settings</h2><ul>${settings.join("")}</ul>`,
  );
}
