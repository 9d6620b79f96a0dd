/**
 * Compiles the AssemblyScript kernels of each package that has `assembly/index.ts`, once with SIMD and once with relaxed
 * SIMD, into `src/generated/<package>-module.ts`. Does nothing where the output is newer than its sources.
 */
import { mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const PACKAGES = fileURLToPath(new URL("../packages/", import.meta.url));
const SELF = fileURLToPath(import.meta.url);

/**
 * Memory comes from the runtime, shared; kernels neither allocate nor check, and never touch its first KiB. Not `-O3`: it joins the arms
 * of an `if` that differ in constants only, and what was a constant of a loop becomes a variable.
 */
const FLAGS = [
  ...["-O2", "--noAssert", "--runtime", "stub", "--importMemory", "--sharedMemory"],
  ...["--initialMemory", "1", "--maximumMemory", "65536", "--memoryBase", "1024"],
];
const BUILDS = { simd: "simd,threads", relaxed: "simd,threads,relaxed-simd" };

/** Sections of a WebAssembly binary. */
const IMPORT = 2;
const GLOBAL = 6;
const DATA = 11;

const newest = async (paths) => Math.max(...(await Promise.all(paths.map((path) => stat(path).then(({ mtimeMs }) => mtimeMs)))));

async function isFresh(output, sources) {
  const written = await stat(output).catch(() => undefined);
  return written !== undefined && written.mtimeMs > (await newest([...sources, SELF]));
}

async function compile(entry, features) {
  // Loaded only when there is something to do: it takes a second.
  const { default: asc } = await import("assemblyscript/asc");
  const captured = new Map();
  const { error, stderr } = await asc.main([entry, "-o", "kernels.wasm", ...FLAGS, "--enable", features], {
    writeFile: (name, contents) => captured.set(name, contents),
  });
  if (error !== null) throw new Error(`${entry} (${features}): ${error.message}\n${stderr}`);
  return captured.get("kernels.wasm");
}

/**
 * Several modules share one memory, in several threads. A data segment would be written again by each instance, and a
 * mutable global would differ between them.
 */
function checkModule(name, binary) {
  let offset = 8;
  const unsigned = () => {
    let [value, shift] = [0, 0];
    for (;;) {
      const byte = binary[offset++];
      value += (byte & 127) * 2 ** shift;
      shift += 7;
      if (byte < 128) return value;
    }
  };
  while (offset < binary.length) {
    const section = binary[offset++];
    const end = unsigned() + offset;
    if (section === DATA) throw new Error(`${name} has a data segment: keep static data and strings out of kernels`);
    if (section === IMPORT && unsigned() !== 1) throw new Error(`${name} imports something besides its memory`);
    if (section === GLOBAL) {
      for (let count = unsigned(); count > 0; count--) {
        offset++;
        if (binary[offset++] === 1) throw new Error(`${name} has a mutable global`);
        while (binary[offset++] !== 0x0b);
      }
    }
    offset = end;
  }
}

async function build(folder) {
  const assembly = join(PACKAGES, folder, "assembly");
  const files = await readdir(assembly).catch(() => []);
  if (!files.includes("index.ts")) return;
  const output = join(PACKAGES, folder, "src/generated", `${folder}-module.ts`);
  if (
    await isFresh(
      output,
      files.map((file) => join(assembly, file)),
    )
  )
    return;
  const builds = {};
  for (const [build, features] of Object.entries(BUILDS)) {
    const binary = await compile(join(assembly, "index.ts"), features);
    checkModule(`${folder} (${build})`, binary);
    builds[build] = Buffer.from(binary).toString("base64");
  }
  const own = folder === "tensor" ? "../engine/kernel-host.ts" : "@tt-rec/tensor";
  const constant = `${folder.replace(/-(\w)/g, (_, letter) => letter.toUpperCase())}Module`;
  const lines = [
    `// Written by scripts/build-kernels.mjs from assembly/.`,
    `import type { KernelModule } from "${own}";`,
    "",
    `/** The compiled kernels of this package. */`,
    `export const ${constant}: KernelModule = ${JSON.stringify({ name: folder, ...builds }, null, 2)};`,
  ];
  await mkdir(join(PACKAGES, folder, "src/generated"), { recursive: true });
  await writeFile(output, `${lines.join("\n")}\n`);
}

for (const folder of await readdir(PACKAGES)) await build(folder);
