import { parse, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";

/** Draws a vega-lite chart as SVG. */
export async function renderSvg(spec: TopLevelSpec): Promise<string> {
  const view = new View(parse(compile(spec).spec), { renderer: "none" });
  const svg = await view.toSVG();
  view.finalize();
  return svg;
}
