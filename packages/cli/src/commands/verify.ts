import { verifyDataset } from "@tt-rec/criteo-loader";
import type { Reporter } from "../output/reporter.ts";
import { openFolder } from "../run/open-folder.ts";

/** Checks every byte of a data set against its checksums. */
export async function verify(dataset: string, reporter: Reporter): Promise<void> {
  await openFolder(dataset, verifyDataset);
  reporter.line(`${dataset}: every file is as it was written`);
  reporter.event("verified", { dataset });
}
