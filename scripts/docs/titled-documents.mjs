// A typedoc plugin: a document is called by its first heading, and is filed by its folder, so that no file needs front matter.
import { Converter } from "typedoc";

const GROUPS = [
  ["docs/guides/", "Guides"],
  ["benchmarks/results/paper/", "Figures of the paper"],
  ["datasets/", "Data sets"],
  ["examples/", "Guides"],
  ["", "More"],
];

/** Called by typedoc. */
export function load(app) {
  app.converter.on(Converter.EVENT_CREATE_DOCUMENT, (_context, document) => {
    const [first] = document.content;
    const heading = first?.kind === "text" ? /^\s*# (.+)\n/.exec(first.text) : null;
    if (heading === null) return;
    document.name = heading[1].replaceAll("`", "");
    const path = app.files.getReflectionPath(document) ?? "";
    document.frontmatter.group ??= GROUPS.find(([folder]) => path.includes(folder))[1];
  });
}
