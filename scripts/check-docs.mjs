// Checks the documentation: every link and picture of the built site and of the Markdown files leads somewhere, anchors included; the packages'
// READMEs name every export, and imports run one way; and, where there is a Chromium, every chart of the site comes alive without an error. Addresses elsewhere are not fetched. Exits with 1 if one check failed.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { findChromium } from "@tt-rec/testing/chromium";
import { chromium } from "playwright-core";
import { checkPackages } from "./docs/check-packages.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const site = join(root, "docs/site");
const ELSEWHERE = /^([a-z][a-z+.-]*:|\/\/)/;

const failures = [];
let checked = 0;

/** Checks the links of a file; `linksOf` gives targets, `anchorsOf` the anchors of a file that is linked. */
function checkLinks(file, links, anchorsOf) {
  for (const link of links) {
    if (link === "" || ELSEWHERE.test(link)) continue;
    checked++;
    const [path, anchor] = link.split("#");
    const target = path === "" ? file : resolve(dirname(file), decodeURIComponent(path.split("?")[0]));
    if (!existsSync(target)) failures.push(`${relative(root, file)}: ${link} is not there`);
    else if (anchor && statSync(target).isFile() && anchorsOf(target)?.has(decodeURIComponent(anchor)) === false) {
      failures.push(`${relative(root, file)}: ${link} has no such anchor`);
    }
  }
}

const all = (text, pattern) => [...text.matchAll(pattern)].map((match) => match[1]);
const unescaped = (text) =>
  text.replaceAll("&amp;", "&").replaceAll("&quot;", '"').replaceAll("&lt;", "<").replaceAll("&gt;", ">");

/** Links of a page, without those in script text. */
function htmlLinks(html) {
  return all(html.replace(/<script\b[^>]*>[\s\S]*?<\/script>/g, ""), /\s(?:href|src)="([^"]*)"/g).map(unescaped);
}

const anchors = new Map();
function remembered(file, make) {
  if (!anchors.has(file)) anchors.set(file, make());
  return anchors.get(file);
}
const htmlAnchors = (file) =>
  file.endsWith(".html") || file.endsWith(".svg")
    ? remembered(file, () => new Set(all(readFileSync(file, "utf8"), /\sid="([^"]*)"/g).map(unescaped)))
    : undefined;

/** Anchors of a Markdown file as GitHub makes them. */
const markdownAnchors = (file) =>
  file.endsWith(".md")
    ? remembered(file, () => new Set(all(readFileSync(file, "utf8"), /^#{1,6} (.+)$/gm).map(githubAnchor)))
    : undefined;
function githubAnchor(heading) {
  return heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replaceAll(" ", "-");
}

for (const file of readdirSync(site, { recursive: true }).filter((name) => name.endsWith(".html"))) {
  checkLinks(join(site, file), htmlLinks(readFileSync(join(site, file), "utf8")), htmlAnchors);
}
const tracked = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "*.md"], {
  cwd: root,
  encoding: "utf8",
});
for (const file of tracked.trim().split("\n")) {
  if (!existsSync(join(root, file))) continue;
  const text = readFileSync(join(root, file), "utf8").replace(/^```[\s\S]*?^```/gm, "");
  checkLinks(join(root, file), all(text.replace(/`[^`\n]*`/g, ""), /\]\(<?([^)>\s]+)>?\)/g), markdownAnchors);
}
console.log(`${checked} links checked, ${failures.length} dead`);
failures.push(...checkPackages(root));

const executablePath = findChromium();
if (executablePath === undefined) console.log("NOT RUN: no Chromium is here to look at the charts; set CHROMIUM to its path");
else await checkCharts(executablePath);

/** Opens every page that has charts, from disk as a reader would, and waits until each is drawn. */
async function checkCharts(executablePath) {
  const pages = readdirSync(join(root, "benchmarks/results/paper")).filter((name) => name.endsWith(".vl.json"));
  const pictures = new Set(pages.map((name) => name.replace(".vl.json", ".svg")));
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  let live = 0;
  try {
    for (const name of readdirSync(join(site, "documents"))) {
      const file = join(site, "documents", name);
      const expected = htmlLinks(readFileSync(file, "utf8")).filter((link) => pictures.has(link.split("/").at(-1))).length;
      if (expected === 0) continue;
      const page = await browser.newPage();
      page.on("pageerror", (error) => failures.push(`${relative(root, file)}: ${error.message}`));
      await page.goto(pathToFileURL(file).href);
      const drawn = page.waitForFunction((count) => document.querySelectorAll(".chart svg").length === count, expected, {
        timeout: 30_000,
      });
      await drawn.then(
        () => {
          live += expected;
        },
        () => failures.push(`${relative(root, file)}: not all of its ${expected} charts were drawn`),
      );
      await page.close();
    }
  } finally {
    await browser.close();
  }
  console.log(`${live} charts drawn in ${executablePath}`);
}

for (const failure of failures) console.error(failure);
process.exitCode = failures.length > 0 ? 1 : 0;
