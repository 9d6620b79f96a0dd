// First of all, since it sets what the modules after it find.
import "./process-settings.ts";

import { mkdtempSync, rmSync } from "node:fs";
import { appendFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeSource } from "@tt-rec/testing";
import { byteRows } from "./byte-rows.ts";
import { chainRows } from "./chain-rows.ts";
import { dlrmOneThread, dlrmTwoThreads } from "./dlrm-rows.ts";
import { embeddingBagRows } from "./embedding-bag-rows.ts";
import { fbttRows } from "./fbtt-rows.ts";
import { gemmRows } from "./gemm-rows.ts";
import type { Context } from "./group.ts";
import { makeIndices } from "./indices.ts";
import { mlpRows } from "./mlp-rows.ts";
import { type HeadlineOptions, readOptions } from "./options.ts";
import { type HeadlineResult, summarize } from "./results.ts";
import { measureGroup } from "./run-group.ts";
import { resultTable, tally } from "./table.ts";
import { threadRows } from "./thread-rows.ts";

const GROUPS = [
  gemmRows,
  byteRows,
  fbttRows,
  threadRows,
  mlpRows,
  embeddingBagRows,
  chainRows,
  dlrmOneThread,
  dlrmTwoThreads,
] as const;

const options = optionsOrUsage();
if (options !== undefined) await main(options);

function optionsOrUsage(): HeadlineOptions | undefined {
  try {
    return readOptions(process.argv.slice(2));
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 2;
    return undefined;
  }
}

async function main(options: HeadlineOptions): Promise<void> {
  const wanted = (id: string): boolean => options.only.length === 0 || options.only.some((prefix) => id.startsWith(prefix));
  const groups = GROUPS.map((group) => ({ group, rows: group.rows.filter(({ id }) => wanted(id)) }));
  if (options.list) {
    for (const { rows } of groups) for (const { id } of rows) console.log(id);
    return;
  }
  const context = createContext(options);
  const commit = describeSource();
  const results: HeadlineResult[] = [];
  const failures: string[] = [];
  if (options.json !== undefined) await writeFile(options.json, "");
  for (const { group, rows } of groups) {
    if (rows.length === 0) continue;
    const measured = await measureGroup(group, rows, context);
    failures.push(...measured.failures);
    const lines = rows.map((row) => summarize(row, measured, commit)).filter((result) => result !== undefined);
    results.push(...lines);
    // After each group, so that a run that is cut short leaves what it has.
    if (options.json !== undefined) await appendFile(options.json, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  }
  console.log(resultTable(results));
  console.log(`\n${tally(results)}`);
  for (const failure of failures) console.error(`failed: ${failure}`);
  if (failures.length > 0) process.exitCode = 1;
}

function createContext({ rounds, budgetMs, peers }: HeadlineOptions): Context {
  const temporary = mkdtempSync(join(tmpdir(), "tt-rec-bench-"));
  process.on("exit", () => rmSync(temporary, { recursive: true, force: true }));
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
  let files: ReturnType<typeof makeIndices> | undefined;
  const indices = () => {
    files ??= makeIndices(peers, temporary);
    return files;
  };
  return { rounds, budgetMs, peers, temporary, indices };
}
