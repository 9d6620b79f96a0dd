/**
 * Uses the public packages as a stranger would: packs each, installs all tarballs at once into an empty project
 * outside the repository, and there type-checks every entry, runs every README's usage block and every command, and
 * builds a page of each package that promises to run in browsers. Prints a line a check; exits with 1 if one failed.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "vite";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const BROWSER_PACKAGES = ["tensor", "tt-math", "tt-kernels", "tt-cache", "criteo-loader", "dlrm"];
const LIMIT_MS = 300_000;

const run = promisify(execFile);

/** Runs a program; a failure becomes an error with what it printed. */
async function execute(program, args, cwd) {
  try {
    return await run(program, args, { cwd, timeout: LIMIT_MS, maxBuffer: 1 << 26 });
  } catch (error) {
    const printed = `${error.stdout ?? ""}${error.stderr ?? ""}`.trim();
    throw new Error(`${program} ${args.join(" ")} ended with ${error.code ?? error.signal}\n${printed}`);
  }
}

const readJson = async (path) => JSON.parse(await readFile(path, "utf8"));

/** The packages that are published: folder, manifest, and the names that users import. */
async function publicPackages() {
  const folders = (await readdir(join(ROOT, "packages"))).sort();
  const all = await Promise.all(
    folders.map(async (folder) => ({ folder, manifest: await readJson(join(ROOT, "packages", folder, "package.json")) })),
  );
  return all
    .filter(({ manifest }) => !manifest.private)
    .map(({ folder, manifest }) => {
      // What has no types is a file to be read, not a module.
      const modules = Object.entries(manifest.exports).filter(([, target]) => target.types !== undefined);
      return { folder, manifest, name: manifest.name, entries: modules.map(([key]) => posix.join(manifest.name, key)) };
    });
}

async function pack({ folder }, into) {
  const { stdout } = await execute("npm", ["pack", "--json", "--pack-destination", into], join(ROOT, "packages", folder));
  const [{ filename, size, entryCount }] = JSON.parse(stdout);
  return { path: join(into, filename), note: `${entryCount} files, ${(size / 1024).toFixed(0)} KiB` };
}

async function install(tarballs, project) {
  const { devDependencies } = await readJson(join(ROOT, "package.json"));
  const tools = ["typescript", "@types/node"].map((name) => `${name}@${devDependencies[name]}`);
  await mkdir(project);
  await writeFile(join(project, "package.json"), JSON.stringify({ name: "stranger", private: true, type: "module" }));
  await execute("npm", ["install", "--no-save", "--no-audit", "--no-fund", ...tarballs, ...tools], project);
  return `${tarballs.length} tarballs into an empty project`;
}

/** Names of the values that an entry exports. */
async function exportedNames(entry, project) {
  const program = `console.log(JSON.stringify(Object.keys(await import(${JSON.stringify(entry)}))))`;
  return JSON.parse((await execute(process.execPath, ["--input-type=module", "-e", program], project)).stdout);
}

/** Compiles a file that uses every export of every entry, in the strictest mode that the dependencies' own types allow. */
async function checkTypes({ folder, entries }, project) {
  const file = join(project, `types-${folder}.ts`);
  const lines = [];
  for (const [i, entry] of entries.entries()) {
    lines.push(`import * as entry${i} from ${JSON.stringify(entry)};`);
    const names = await exportedNames(entry, project);
    lines.push(`export const values${i}: unknown[] = [${names.map((name) => `entry${i}.${name}`).join(", ")}];`);
  }
  await writeFile(file, `${lines.join("\n")}\n`);
  const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2022", "--types", "node"];
  const compile = (skipLibCheck) =>
    execute(join(project, "node_modules/.bin/tsc"), [...options, "--skipLibCheck", String(skipLibCheck), file], project);
  try {
    await compile(false);
    return `${entries.length} entries, skipLibCheck false`;
  } catch (error) {
    // Types of third parties may be wrong; ours may not.
    if (/node_modules\/(@tt-rec|tt-rec)\//.test(error.message)) throw error;
    await compile(true);
    const reason = error.message.split("\n").find((line) => line.includes("error TS"));
    return `${entries.length} entries, skipLibCheck true: ${reason?.trim()}`;
  }
}

/** Runs the first js block under "## Usage", in a folder of its own. */
async function runUsage({ folder }, project) {
  const readme = await readFile(join(ROOT, "packages", folder, "README.md"), "utf8");
  const block = /^## Usage$[\s\S]*?^```js\n([\s\S]*?)^```$/m.exec(readme)?.[1];
  if (block === undefined) throw new Error("the README has no js block under ## Usage");
  const file = join(project, `usage-${folder}.mjs`);
  await writeFile(file, block);
  const cwd = await mkdtemp(join(dirname(project), `usage-${folder}-`));
  await execute(process.execPath, [file], cwd);
  return `${block.trim().split("\n").length} lines`;
}

async function runCommands({ manifest }, project) {
  const commands = Object.keys(manifest.bin);
  for (const command of commands) await execute(join(project, "node_modules/.bin", command), ["--help"], project);
  return `${commands.join(", ")} --help`;
}

/** Bundles a page that imports the main entry; what only Node has must not be in it. */
async function buildPage({ folder, name }, project) {
  const page = join(project, `page-${folder}`);
  await mkdir(page);
  await writeFile(join(page, "index.html"), '<!doctype html><title>page</title><script type="module" src="./main.js"></script>');
  await writeFile(join(page, "main.js"), `import * as entry from ${JSON.stringify(name)};\nglobalThis.entry = entry;\n`);
  const warnings = [];
  const warn = (message) => warnings.push(message);
  const customLogger = {
    info() {},
    warn,
    warnOnce: warn,
    error: warn,
    clearScreen() {},
    hasErrorLogged: () => false,
    hasWarned: false,
  };
  const { output } = await build({ root: page, configFile: false, logLevel: "warn", customLogger });
  const code = output.map((chunk) => chunk.code ?? "").join("\n");
  const warned = warnings.find((message) => /externalized for browser compatibility|node:/.test(message));
  if (warned !== undefined) throw new Error(warned);
  const left = /__vite-browser-external|(?:from|import|require)\s*\(?\s*["']node:[^"']*/.exec(code);
  if (left !== null) throw new Error(`the bundle has ${left[0]}`);
  return `${(code.length / 1024).toFixed(0)} KiB`;
}

let passed = 0;
let failed = 0;

/** Runs one check and prints its line; undefined if it failed. */
async function check(subject, what, body) {
  const start = performance.now();
  const seconds = () => `${((performance.now() - start) / 1000).toFixed(1)} s`;
  try {
    const result = await body();
    passed++;
    console.log(`ok    ${subject}: ${what}: ${result?.note ?? result} (${seconds()})`);
    return result;
  } catch (error) {
    failed++;
    const lines = error.message.split("\n");
    console.log(`FAIL  ${subject}: ${what} (${seconds()})\n    ${[lines[0], ...lines.slice(1).slice(-15)].join("\n    ")}`);
    return undefined;
  }
}

async function checkPackage(item, project) {
  await check(item.name, "import", async () => `${(await exportedNames(item.name, project)).length} exports`);
  await check(item.name, "types", () => checkTypes(item, project));
  if (item.manifest.bin !== undefined) await check(item.name, "commands", () => runCommands(item, project));
  await check(item.name, "usage", () => runUsage(item, project));
  if (BROWSER_PACKAGES.includes(item.folder)) await check(item.name, "page", () => buildPage(item, project));
}

const temporary = await mkdtemp(join(tmpdir(), "tt-rec-packages-"));
try {
  const packages = await publicPackages();
  const tarballs = [];
  for (const item of packages) tarballs.push((await check(item.name, "pack", () => pack(item, temporary)))?.path);
  const project = join(temporary, "project");
  const installed = tarballs.every((path) => path !== undefined && existsSync(path));
  if (installed && (await check("all", "install", () => install(tarballs, project))) !== undefined) {
    for (const item of packages) await checkPackage(item, project);
  }
} finally {
  await rm(temporary, { recursive: true, force: true });
}
console.log(`${passed} package checks passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
