import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chainRows } from "../../headline/chain-rows.ts";
import { makeIndices } from "../../headline/indices.ts";
import { readOptions } from "../../headline/options.ts";
import { type HeadlineResult, summarize } from "../../headline/results.ts";
import { measureGroup } from "../../headline/run-group.ts";
import type { Mode } from "../harness/figure.ts";

const EFFORT: Readonly<Record<Mode, { readonly rounds: number; readonly budgetMs: number }>> = {
  tiny: { rounds: 1, budgetMs: 20 },
  quick: { rounds: 1, budgetMs: 200 },
  full: { rounds: 5, budgetMs: 500 },
};

/** The headline's rows of TT steps against PyTorch, where it is installed; a row that could not be measured says why in `missing`. */
export async function torchRivals(mode: Mode): Promise<HeadlineResult[]> {
  const { peers } = readOptions([]);
  const temporary = mkdtempSync(join(tmpdir(), "tt-rec-paper-"));
  const files = makeIndices(peers, temporary);
  try {
    const measured = await measureGroup(chainRows, chainRows.rows, { ...EFFORT[mode], peers, temporary, indices: () => files });
    return chainRows.rows.map((row) => summarize(row, measured, "")).filter((result) => result !== undefined);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}
