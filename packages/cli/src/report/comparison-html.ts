import type { TopLevelSpec } from "vega-lite";
import type { SummaryRow } from "../compare/summarize.ts";
import { escapeHtml, htmlPage, htmlTable } from "./page.ts";
import { renderSvg } from "./render-svg.ts";

/** The rows of one table, and their cells as text. */
export interface ComparisonGroup {
  readonly rows: readonly SummaryRow[];
  readonly cells: readonly (readonly string[])[];
}

/** A self-contained page with a table and charts of AUC against resident bytes for each group. */
export async function renderComparison(groups: readonly ComparisonGroup[], head: readonly string[]): Promise<string> {
  const sections: string[] = [];
  for (const { rows, cells } of groups) {
    const [{ data, embeddingDim }] = rows;
    const figures: string[] = [];
    for (const [field, title] of [
      ["scoringBytes", "AUC against all resident bytes when scoring"],
      ["trainingBytes", "AUC against all resident bytes in training"],
    ] as const) {
      figures.push(`<figure><h2>${title}</h2>${await renderSvg(sizeChart(rows, field))}</figure>`);
    }
    const heading = `${escapeHtml(data)}, D = ${embeddingDim}`;
    sections.push(`<h1>${heading}</h1>${htmlTable(head, cells)}<div class="charts">${figures.join("\n")}</div>`);
  }
  const note = `<p class="note">Test rows; means over seeds with the 95 % interval of the mean by Student's t. "AUC less dense" is paired on the
test rows, with DeLong's 95 % interval. "bytes" are those of the compared tables when they score; "model" adds all other tables, the MLPs and
the dictionaries of ids; "in training" adds optimizer state and access counters. * marks the least that a method takes, where that is more than was asked.</p>`;
  return htmlPage("tt-rec: comparison of embeddings", `${sections.join("\n")}${note}`);
}

function sizeChart(rows: readonly SummaryRow[], field: "scoringBytes" | "trainingBytes"): TopLevelSpec {
  const values = rows.map((row) => ({
    series: row.order === "" ? row.method : `${row.method}, ${row.order}`,
    bytes: row[field],
    auc: row.auc.mean,
    low: row.auc.mean - (Number.isNaN(row.auc.margin) ? 0 : row.auc.margin),
    high: row.auc.mean + (Number.isNaN(row.auc.margin) ? 0 : row.auc.margin),
  }));
  const x = { field: "bytes", type: "quantitative", title: "bytes", scale: { type: "log" }, axis: { format: "~s" } } as const;
  const color = { field: "series", type: "nominal", title: null, scale: { scheme: "tableau20" } } as const;
  return {
    width: 520,
    height: 320,
    data: { values },
    layer: [
      {
        mark: { type: "line", strokeWidth: 1.5 },
        encoding: { x, y: { field: "auc", type: "quantitative", title: "AUC", scale: { zero: false } }, color },
      },
      { mark: { type: "rule" }, encoding: { x, y: { field: "low", type: "quantitative" }, y2: { field: "high" }, color } },
      { mark: { type: "point", filled: true, size: 50 }, encoding: { x, y: { field: "auc", type: "quantitative" }, color } },
    ],
  };
}
