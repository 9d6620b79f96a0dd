import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { type Dataset, logSchemaOf, openDataset, parseTableSchema } from "@tt-rec/criteo-loader";
import { prepareFiles, tableFile } from "@tt-rec/criteo-loader/node";
import { createRng } from "@tt-rec/tensor";
import { nodeDirectory } from "@tt-rec/tensor/node";
import { suggestShape } from "@tt-rec/tt-math";

/** Orders of ids that are compared. */
export const ORDERS = ["first-seen", "frequency", "similarity"] as const;

/** One of them. */
export type Order = (typeof ORDERS)[number];

/** A constant number gives the model a bottom MLP, and its products with the embeddings are biases of user and movie. */
const SCHEMA = parseTableSchema(
  JSON.stringify({
    label: "label",
    dense: [{ column: "one", transform: "none" }],
    ids: [
      { column: "user", type: "integer" },
      { column: "movie", type: "integer" },
    ],
  }),
);

/** Prepares ml-1m's interactions once for each order: the same random tenths for test and validation. */
export async function prepareOrders(interactions: string, folder: string): Promise<Map<Order, Dataset>> {
  const [, ...lines] = gunzipSync(await readFile(interactions))
    .toString()
    .trimEnd()
    .split("\n");
  const rng = createRng(1);
  for (let last = lines.length - 1; last > 0; last--) {
    const other = Math.floor(rng.uniform() * (last + 1));
    [lines[last], lines[other]] = [lines[other], lines[last]];
  }
  const log = join(folder, "ml-1m.tsv");
  await writeFile(log, `user\tmovie\tlabel\tone\n${lines.map((line) => `${line}\t1\n`).join("")}`);
  const datasets = new Map<Order, Dataset>();
  for (const idOrder of ORDERS) {
    const target = join(folder, idOrder);
    await prepareFiles([tableFile(log, SCHEMA)], target, {
      schema: logSchemaOf(SCHEMA),
      split: { by: "fractions", test: 0.1, validation: 0.1 },
      idOrder,
      rowShape: (cardinality) => suggestShape(cardinality, 3),
    });
    datasets.set(idOrder, await openDataset(nodeDirectory(target)));
  }
  return datasets;
}
