// Checks what the documentation says of the packages: READMEs of one form, a row in the API table for every export, imports one way.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What a package may import, besides itself; its tests and benchmarks also `testing`. */
const BELOW = {
  testing: [],
  tensor: [],
  "tt-math": ["tensor"],
  "tt-kernels": ["tensor", "tt-math"],
  "tt-cache": ["tensor", "tt-math", "tt-kernels"],
  dlrm: ["tensor", "tt-math", "tt-kernels", "tt-cache"],
  "criteo-loader": ["tensor"],
  cli: ["tensor", "tt-math", "tt-kernels", "tt-cache", "dlrm", "criteo-loader"],
};
const ENTRIES = ["index.ts", "node.ts", "gpu.ts"];
/** Sections of every README, in this order; others may stand between them. */
const SECTIONS = ["Install", "Usage", "API", "Benchmark", "Limits"];

/** What is wrong, a sentence each. */
export function checkPackages(root) {
  const folders = readdirSync(join(root, "packages"));
  const unknown = folders.filter((name) => !(name in BELOW)).map((name) => `packages/${name}: no rule says what it may import`);
  return [...unknown, ...Object.keys(BELOW).flatMap((name) => [...checkReadme(root, name), ...checkImports(root, name)])];
}

function checkReadme(root, name) {
  const readme = readFileSync(join(root, "packages", name, "README.md"), "utf8");
  const headings = [...readme.matchAll(/^## (.+)$/gm)].map((match) => match[1]);
  const found = headings.filter((heading) => SECTIONS.includes(heading));
  const rows = readme.match(/^\| `.*$/gm)?.join("\n") ?? "";
  const missing = exportsOf(join(root, "packages", name, "src")).filter((symbol) => !rows.includes(`\`${symbol}\``));
  return [
    ...(found.join() === SECTIONS.join() ? [] : [`packages/${name}/README.md: sections are ${headings.join(", ")}`]),
    ...missing.map((symbol) => `packages/${name}/README.md: no row of a table names the export ${symbol}`),
  ];
}

/** Names that the entries of a package export. */
function exportsOf(source) {
  const texts = ENTRIES.map((entry) => join(source, entry)).filter(existsSync);
  return texts.flatMap((file) => {
    const text = readFileSync(file, "utf8");
    const lists = [...text.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].flatMap((match) => match[1].split(","));
    const named = lists.map((part) => part.trim().split(/\s+/).at(-1)).filter(Boolean);
    return [
      ...named,
      ...[...text.matchAll(/^export (?:async )?(?:function|const|class|interface|type) (\w+)/gm)].map((m) => m[1]),
    ];
  });
}

function checkImports(root, name) {
  const files = ["src", "test", "bench"].flatMap((part) => {
    const folder = join(root, "packages", name, part);
    return existsSync(folder) ? readdirSync(folder, { recursive: true }).map((file) => `${part}/${file}`) : [];
  });
  return files
    .filter((file) => file.endsWith(".ts"))
    .flatMap((file) => {
      const text = readFileSync(join(root, "packages", name, file), "utf8");
      const allowed = [name, ...BELOW[name], ...(file.startsWith("src/") ? [] : ["testing"])];
      const imported = [...text.matchAll(/(?:from|import\(?)\s*"@tt-rec\/([\w-]+)/g)].map((match) => match[1]);
      return imported.filter((other) => !allowed.includes(other)).map((other) => `packages/${name}/${file} imports ${other}`);
    });
}
