import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { uptime } from "node:os";
import { join } from "node:path";
import type { Journal } from "../prepare/workplace.ts";

const SUFFIX = ".done";
/** Clocks are adjusted by less than this, in seconds; a machine takes longer to start. */
const SAME_START = 10;

interface Entry {
  readonly key: string;
  readonly started: number;
  readonly result: unknown;
}

/**
 * A journal in the folder of the scratch files. Neither it nor they are synced: what a killed process has written is kept
 * by the system, and after the machine was restarted no entry counts. Entries of another run are removed when this one begins.
 */
export function fileJournal(folder: string, key: string): Journal {
  const started = Math.round(Date.now() / 1000 - uptime());
  const entries = new Map<string, unknown>();
  for (const name of entryNames(folder)) {
    const entry = readEntry(join(folder, name));
    if (entry !== undefined && entry.key === key && Math.abs(entry.started - started) <= SAME_START) {
      entries.set(name.slice(0, -SUFFIX.length), entry.result);
    }
  }
  return {
    get: (unit) => entries.get(unit),
    begin() {
      if (entries.size === 0) rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder, { recursive: true });
    },
    put(unit, result) {
      const text = JSON.stringify({ key, started, result } satisfies Entry);
      const path = join(folder, `${unit}${SUFFIX}`);
      writeFileSync(`${path}.new`, `${checksum(text)}\n${text}`);
      renameSync(`${path}.new`, path);
      entries.set(unit, result);
    },
  };
}

/** Tells whether the journal in a folder has an entry. */
export function hasJournal(folder: string): boolean {
  return entryNames(folder).length > 0;
}

function entryNames(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(SUFFIX)) : [];
}

function checksum(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function readEntry(path: string): Entry | undefined {
  const [sum, text] = readFileSync(path, "utf8").split("\n");
  return text !== undefined && sum === checksum(text) ? (JSON.parse(text) as Entry) : undefined;
}
