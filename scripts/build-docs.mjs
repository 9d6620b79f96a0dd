// Builds the documentation site in docs/site: guides, the pages of the paper's figures, and the API by typedoc; and the live charts by vite.
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const root = fileURLToPath(new URL("..", import.meta.url));
const site = `${root}docs/site`;

rmSync(site, { recursive: true, force: true });
const { status } = spawnSync("npx", ["typedoc"], { cwd: root, stdio: "inherit" });
if (status !== 0) process.exit(status ?? 1);
await build({
  root: `${root}benchmarks/site`,
  logLevel: "error",
  publicDir: false,
  build: {
    outDir: `${site}/assets`,
    emptyOutDir: false,
    // A classic script: module scripts do not load from a file:// page.
    lib: { entry: "charts.mjs", formats: ["iife"], name: "ttRecCharts", fileName: () => "charts.js" },
  },
});
console.log("the site is in docs/site; open docs/site/index.html");
