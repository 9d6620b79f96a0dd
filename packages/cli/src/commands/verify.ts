import { verifyDataset } from "@tt-rec/criteo-loader";
import { nodeDirectory } from "@tt-rec/tensor/node";
import type { Reporter } from "../output/reporter.ts";

/** Checks every byte of a data set against its checksums. */
export async function verify(dataset: string, reporter: Reporter): Promise<void> {
  await verifyDataset(nodeDirectory(dataset));
  reporter.line(`${dataset}: every file is as it was written`);
  reporter.event("verified", { dataset });
}
