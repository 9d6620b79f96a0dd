import { nodeDirectory } from "@tt-rec/tensor/node";
import { openDataset } from "../../src/index.ts";

/** Reads all training rows of a data set in batches of 2,048; returns their number. */
export async function readTraining(folder: string): Promise<number> {
  const dataset = await openDataset(nodeDirectory(folder));
  let rows = 0;
  for await (const { size } of dataset.batches({ split: "train", batchSize: 2048 })) rows += size;
  return rows;
}
