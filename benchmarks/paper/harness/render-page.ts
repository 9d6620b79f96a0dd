import type { Claim, Figure, Line, Page, PageTable } from "./figure.ts";
import { chartFile } from "./run-figure.ts";

/** The page of a figure: what the deck shows, charts, tables, what they say, the claims, and where the numbers come from. */
export function renderPage(figure: Figure, page: Page, lines: readonly Line[]): string {
  const parts = [
    `# ${figure.title}`,
    `**The deck:** ${figure.deck}`,
    ...page.charts.map(({ name, caption }) => `![${caption}](${chartFile(figure, name)}.svg)\n\n*${caption}*`),
    ...page.tables.map((table) => `**${table.caption}**\n\n${markdownTable(table)}`),
    ...page.text,
    ...(page.claims.length > 0 ? [`## The deck's claims\n\n${claimTable(page.claims)}`] : []),
    `## Where the numbers come from\n\n${provenance(figure, lines)}`,
  ];
  return `${parts.join("\n\n")}\n`;
}

/** A table of claims. */
export function claimTable(claims: readonly Claim[]): string {
  return markdownTable({
    caption: "",
    head: ["the deck", "here", "", "why, and what to keep in mind"],
    rows: claims.map(({ deck, ours, verdict, reason }) => [deck, ours, verdict, reason]),
    leftAligned: true,
  });
}

function markdownTable({ head, rows, leftAligned = false }: PageTable & { readonly leftAligned?: boolean }): string {
  const line = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  const rule = head.map((_, column) => (column === 0 || leftAligned ? "---" : "---:"));
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}

function provenance({ name }: Figure, lines: readonly Line[]): string {
  const [first] = lines;
  const { cpu, cores, node, simd } = first.machine;
  const data = [...new Set(lines.map((line) => line.data))].map((text) => `- ${text}`).join("\n");
  return `\`${first.command}\` after \`npm run build\`: ${first.mode} mode, seed ${first.seed}, commit ${first.commit}, ${first.date.slice(0, 10)}, \
${cpu}, ${cores} cores, Node ${node}, SIMD ${simd}. Each case is a line of \`benchmarks/results/paper/${name}.jsonl\`. Measured on:

${data}`;
}
