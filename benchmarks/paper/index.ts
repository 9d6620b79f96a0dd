/**
 * All figures of the paper, one process each so that none measures what another has left behind, and the page of all claims:
 * `npm run bench:paper -- [--tiny | --quick | --full] [--page] [--seed N] [--out FOLDER] [--only NAME]`.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Claim } from "./harness/figure.ts";
import { claimTable } from "./harness/render-page.ts";
import { RESULTS } from "./harness/run-figure.ts";

/** The figures in the order of the deck. */
const FIGURES = {
  memory: "Memory reduction",
  accuracy: "Accuracy against compression",
  kernels: "Kernel efficiency",
  "training-time": "Training time",
  pooling: "Pooling factor",
  caching: "Caching",
  "id-order": "Id order",
  scale: "Scale",
} as const;

const args = process.argv.slice(2);
const { values } = parseArgs({
  args,
  strict: false,
  options: { out: { type: "string", default: RESULTS }, only: { type: "string", multiple: true, default: [] } },
});
const out = resolve(String(values.out));
const only = values.only as string[];
const passed = args.filter((arg, i) => arg !== "--only" && args[i - 1] !== "--only");
for (const name of Object.keys(FIGURES)) {
  if (only.length > 0 && !only.includes(name)) continue;
  const program = fileURLToPath(new URL(`./${name}.js`, import.meta.url));
  const { status } = spawnSync(process.execPath, [program, ...passed], { stdio: "inherit" });
  if (status !== 0) process.exitCode = 1;
}
writeFileSync(join(out, "README.md"), overview());

function overview(): string {
  const found = Object.entries(FIGURES).filter(([name]) => existsSync(join(out, `${name}.claims.json`)));
  const sections = found.map(([name, title]) => {
    const claims = JSON.parse(readFileSync(join(out, `${name}.claims.json`), "utf8")) as Claim[];
    return `## [${title}](${name}.md)\n\n${claimTable(claims)}`;
  });
  return `# The claims of the deck

What the deck of TT-Rec (Yin, Acun, Liu and Wu, MLSys 2021) says, and what was found here. Each figure has a page with charts, tables, its \
machine, seed, commit and command; this page is made from them by \`npm run bench:paper\`. "Not reached" is meant as it is written, and the last column \
says why; "not tested" is what this data or this machine cannot tell.

${sections.join("\n\n")}
`;
}
