// Runs the suites of the GPU kernels and of the CPU's in headless Chromium: every mode of gpu.js on software adapters,
// the CPU kernels with threads in a Worker of an isolated page, and without, on its main thread and where pages are not isolated.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { findChromium, SOFTWARE_ADAPTERS } from "@tt-rec/testing/chromium";
import { chromium } from "playwright-core";
import { build } from "vite";

const TYPES = { ".html": "text/html", ".js": "text/javascript" };
const RUNS = process.env.TT_REC_LONG ? 30 : 3;

const executablePath = findChromium();
if (executablePath === undefined) {
  console.error("no Chromium was found; install it or set CHROMIUM to its path");
  process.exit(1);
}

const root = fileURLToPath(new URL("./browser", import.meta.url));
const outDir = await mkdtemp(join(tmpdir(), "tt-rec-browser-"));
await build({ root, base: "./", logLevel: "error", worker: { format: "es" }, build: { outDir, emptyOutDir: true } });

/** Serves the page twice: below /isolated/ with the headers that give it shared memory, below /plain/ without. */
const server = createServer(async ({ url }, response) => {
  const [, part, ...rest] = new URL(url, "http://localhost").pathname.split("/");
  if (part === "isolated") {
    response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
    response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
  }
  const file = join(outDir, normalize(`/${rest.join("/") || "index.html"}`));
  try {
    const content = await readFile(file);
    response.setHeader("Content-Type", TYPES[extname(file)] ?? "application/octet-stream");
    response.end(content);
  } catch {
    response.statusCode = 404;
    response.end();
  }
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));

const total = { passed: 0, failed: 0 };
const browser = await chromium.launch({ executablePath, args: [...SOFTWARE_ADAPTERS] });
try {
  console.log(`Chromium ${browser.version()}`);
  for (const [part, requests] of [
    [
      "isolated",
      [
        ...["webgpu", "webgl2", "webasm", "cpu"].map((mode) => ["worker", { suite: "gpu", mode, runs: RUNS }]),
        ["worker", { suite: "cpu", threads: 2, runs: RUNS }],
        ["page", { threads: 1, runs: RUNS }],
      ],
    ],
    ["plain", [["worker", { suite: "cpu", threads: 1, runs: RUNS }]]],
  ]) {
    const page = await browser.newPage();
    page.on("console", (message) => {
      if (message.type() === "error") console.log(message.text());
    });
    await page.exposeFunction("tell", (line) => console.log(line));
    await page.goto(`http://127.0.0.1:${server.address().port}/${part}/`);
    await page.waitForFunction(() => globalThis.lane !== undefined);
    for (const [where, request] of requests) {
      const result = await page.evaluate(([name, given]) => globalThis.lane[name](given), [where, request]);
      total.passed += result.passed;
      total.failed += result.failed;
    }
    await page.close();
  }
} finally {
  await browser.close();
  server.close();
  await rm(outDir, { recursive: true, force: true });
}
console.log(`browser: ${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed === 0 ? 0 : 1;
