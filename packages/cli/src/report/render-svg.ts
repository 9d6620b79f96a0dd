import { parse, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";

/** Draws a vega-lite chart as SVG, so that the page that holds it needs neither scripts nor a network. */
export async function renderSvg(spec: TopLevelSpec): Promise<string> {
  const view = new View(parse(compile({ ...spec, background: "transparent", config: { font: "system-ui, sans-serif" } }).spec), {
    renderer: "none",
  });
  const svg = await view.toSVG();
  view.finalize();
  return svg;
}
