import { createReadStream, createWriteStream } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { type Dataset, logSchemaOf, openDataset, parseTableSchema } from "@tt-rec/criteo-loader";
import { prepareFiles, tableFile } from "@tt-rec/criteo-loader/node";
import { createRng, shuffleInPlace } from "@tt-rec/tensor";
import { nodeDirectory } from "@tt-rec/tensor/node";
import { suggestShape } from "@tt-rec/tt-math";

/** Orders of ids that are compared. */
export const ORDERS = ["first-seen", "frequency", "similarity"] as const;

/** One of them. */
export type Order = (typeof ORDERS)[number];

/** A constant number gives the model a bottom MLP, and its products with the embeddings are biases of user and item. */
const SCHEMA = parseTableSchema(
  JSON.stringify({
    label: "label",
    dense: [{ column: "one", transform: "none" }],
    ids: [
      { column: "user", type: "integer" },
      { column: "item", type: "integer" },
    ],
  }),
);

/**
 * Prepares interactions (`user item label`, or `user item split` of visits only, each with a random item that was not asked for)
 * once for each order: the same random tenths for test and validation.
 */
export async function prepareOrders(interactions: string, folder: string): Promise<Map<Order, Dataset>> {
  const lines = shuffleInPlace(await readInteractions(interactions), createRng(1));
  const log = join(folder, "interactions.tsv");
  const text = Readable.from(["user\titem\tlabel\tone\n", ...chunks(lines)]);
  await pipeline(text, createWriteStream(log));
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

/** Lines `user item label`; visits without a label are clicks, and draw as many items that are none. */
async function readInteractions(path: string): Promise<string[]> {
  const lines: string[] = [];
  const visits: [user: string, item: number][] = [];
  let header: readonly string[] | undefined;
  for await (const line of createInterface({ input: createReadStream(path).pipe(createGunzip()) })) {
    const fields = line.split("\t");
    if (header === undefined) header = fields;
    else if (header[2] === "split") visits.push([fields[0], Number(fields[1])]);
    else lines.push(line);
  }
  const items = visits.reduce((most, [, item]) => Math.max(most, item + 1), 0);
  const rng = createRng(7);
  for (const [user, item] of visits) lines.push(`${user}\t${item}\t1`, `${user}\t${Math.floor(rng.uniform() * items)}\t0`);
  return lines;
}

function* chunks(lines: readonly string[], size = 10_000): Generator<string> {
  for (let start = 0; start < lines.length; start += size) {
    yield lines
      .slice(start, start + size)
      .map((line) => `${line}\t1\n`)
      .join("");
  }
}
