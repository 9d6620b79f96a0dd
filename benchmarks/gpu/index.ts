// `npm run bench:gpu`: serves a page that measures the GPU kernels in the browser that opens it, and collects its results.
import { appendFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { describeMachine, describeSource } from "@tt-rec/testing";
import { SOFTWARE_ADAPTERS } from "@tt-rec/testing/chromium";
import { chromium } from "playwright-core";
import { build } from "vite";
import { ALL_MODES, type GpuBenchOptions, type GpuResult, measureGpu } from "./rows.ts";
import { gpuTable } from "./table.ts";

const { values } = parseArgs({
  options: {
    json: { type: "string" },
    rounds: { type: "string", default: "5" },
    only: { type: "string", multiple: true, default: [] },
    mode: { type: "string", multiple: true, default: [] },
    patience: { type: "string", default: "10" },
    port: { type: "string", default: "8080" },
    node: { type: "boolean", default: false },
    chromium: { type: "string" },
  },
});
const options: GpuBenchOptions = {
  rounds: Number(values.rounds),
  only: values.only,
  patienceMs: 1000 * Number(values.patience),
  modes: values.mode.length === 0 ? ALL_MODES : ALL_MODES.filter((mode) => values.mode.includes(mode)),
};
const results: GpuResult[] = [];
const about = { machine: describeMachine("off"), commit: describeSource(), date: new Date().toISOString() };

if (values.json !== undefined) await writeFile(values.json, "");
if (values.node) for await (const result of measureGpu(options, console.log)) await collect(result);
else await serve();
console.log(gpuTable(results));

async function collect(result: GpuResult): Promise<void> {
  results.push(result);
  if (values.json !== undefined) await appendFile(values.json, `${JSON.stringify({ ...result, ...about })}\n`);
}

async function serve(): Promise<void> {
  const outDir = await mkdtemp(join(tmpdir(), "tt-rec-bench-"));
  const root = fileURLToPath(new URL("../../gpu/page", import.meta.url));
  await build({ root, base: "./", logLevel: "error", worker: { format: "es" }, build: { outDir, emptyOutDir: true } });
  let end: (message: string | undefined) => void = () => undefined;
  const ended = new Promise<string | undefined>((resolve) => {
    end = resolve;
  });
  const server = createServer((request, response) => {
    answer(request, response, outDir, end).catch((error: unknown) => {
      response.statusCode = 500;
      response.end(String(error));
    });
  });
  await new Promise<void>((resolve) => server.listen(Number(values.port), resolve));
  const url = `http://localhost:${(server.address() as AddressInfo).port}/`;
  console.log(`open ${url} in the browser whose GPU is to be measured`);
  const browser =
    values.chromium === undefined
      ? undefined
      : await chromium.launch({ executablePath: values.chromium, args: [...SOFTWARE_ADAPTERS] });
  await (await browser?.newPage())?.goto(url);
  const message = await ended;
  await browser?.close();
  server.closeAllConnections();
  server.close();
  await rm(outDir, { recursive: true, force: true });
  if (message !== undefined) {
    console.error(message);
    process.exitCode = 1;
  }
}

/** Answers the page: its files, its options, and what it posts. */
async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  folder: string,
  end: (message: string | undefined) => void,
): Promise<void> {
  // For shared memory and exact clocks.
  response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
  response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
  const { pathname } = new URL(request.url ?? "/", "http://localhost");
  if (request.method === "POST") {
    const content = await readBody(request);
    if (pathname === "/result") await collect(content as GpuResult);
    else if (pathname === "/line") console.log(content);
    response.end();
    if (pathname === "/done") end((content as { readonly message?: string }).message);
    return;
  }
  if (pathname === "/options") {
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify(options));
    return;
  }
  const file = join(folder, normalize(pathname === "/" ? "/index.html" : pathname));
  const content = await readFile(file).catch(() => undefined);
  response.statusCode = content === undefined ? 404 : 200;
  response.setHeader("Content-Type", extname(file) === ".html" ? "text/html" : "text/javascript");
  response.end(content);
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return JSON.parse(text) as unknown;
}
