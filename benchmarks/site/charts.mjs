// Makes the charts of the documentation site live: pictures of charts become vega views of the same specifications, with tooltips.
import { parse, View } from "vega";
import { compile } from "vega-lite";

const specs = Object.fromEntries(
  Object.entries(import.meta.glob("../results/paper/*.vl.json", { eager: true, import: "default" })).map(([path, spec]) => [
    path.split("/").at(-1).replace(".vl.json", ".svg"),
    spec,
  ]),
);

for (const image of document.querySelectorAll('img[src$=".svg"]')) {
  const spec = specs[image.src.split("/").at(-1)];
  // An error becomes one of the page, where the check of the site sees it.
  if (spec !== undefined) void show(image, spec);
}

/** Puts a live chart into the place of its picture; where that fails the picture stays. */
async function show(image, spec) {
  const chart = document.createElement("div");
  chart.className = "chart";
  chart.title = image.alt;
  image.after(chart);
  const view = new View(parse(compile(spec).spec), { renderer: "svg", container: chart, hover: true });
  await view.runAsync();
  image.remove();
}
