import { isTtError, TtError } from "@tt-rec/tensor";
import type { LogSchema } from "../log/log-schema.ts";
import type { LogSource, RowSource, ScanState } from "../log/row-source.ts";
import { roomCounters } from "../stage/stage-rows.ts";
import { type StagedSource, stagedRows } from "../stage/staged-source.ts";
import { blocksOf, removeScratch, type ScanResult, type ScanTask, type Tell } from "./tasks.ts";
import type { Journal, Outcome, Workplace } from "./workplace.ts";

/** The rows of all sources, in scratch. */
export interface ScannedSources {
  /** One entry a source. */
  readonly stages: readonly StagedSource[];
  /** Bad rows that were skipped. */
  readonly badRows: number;
}

interface SourceScan {
  readonly pieces: ScanResult["pieces"];
  readonly badRows: number;
}

/**
 * Reads every source into scratch, once; a source that the journal knows is not read again. Throws `E_EMPTY`, `E_ROW` at the
 * first bad row beyond `maxBadRows` in the order of the sources, and what the sources throw.
 */
export async function scanSources(
  sources: readonly (LogSource | RowSource)[],
  schema: LogSchema,
  maxBadRows: number,
  workplace: Workplace,
  journal: Journal | undefined,
  tell: Tell,
): Promise<ScannedSources> {
  const scans = sources.map((_, source) => journal?.get(`scan-${source}`) as SourceScan | undefined);
  const tasks: ScanTask[] = [];
  for (const [source, log] of sources.entries()) {
    if (scans[source] !== undefined) continue;
    removeScratch(workplace.scratch, source, schema.ids.length);
    const parts = workplace.parallel && log.parts !== undefined ? await log.parts() : [log];
    const room = workplace.counters(roomCounters(schema));
    for (const part of parts) tasks.push({ kind: "scan", source, part, schema, maxBadRows, room });
  }
  const missing = sources.map((_, source) => tasks.filter((task) => task.source === source).length);
  const results: ScanResult[] = [];
  const outcomes = await workplace.run<"scan">(tasks, tell, async (index, result) => {
    results[index] = result;
    const { source } = tasks[index];
    if (--missing[source] > 0) return;
    const own = results.filter((_, other) => tasks[other].source === source);
    const badRows = own.reduce((sum, part) => sum + part.badRows, 0);
    const scan: SourceScan = { pieces: own.flatMap(({ pieces }) => pieces), badRows };
    scans[source] = scan;
    if (badRows <= maxBadRows) journal?.put(`scan-${source}`, scan);
  });
  const badRows = await checkInOrder(sources, schema, maxBadRows, workplace, scans, tasks, outcomes);
  const stages = scans.map((scan, source): StagedSource => ({ source, pieces: scan?.pieces ?? [] }));
  for (const [source, stage] of stages.entries()) {
    if (stagedRows([stage]) > 0) continue;
    const { name } = sources[source];
    throw new TtError("E_EMPTY", `${name} has no ${scans[source]?.badRows ? "good " : ""}row`, { file: name });
  }
  return { stages, badRows };
}

/** Goes over the outcomes in the order of the log, as one thread would have met them. Returns the number of bad rows. */
async function checkInOrder(
  sources: readonly (LogSource | RowSource)[],
  schema: LogSchema,
  maxBadRows: number,
  workplace: Workplace,
  scans: readonly (SourceScan | undefined)[],
  tasks: readonly ScanTask[],
  outcomes: readonly Outcome<ScanResult>[],
): Promise<number> {
  let badRows = 0;
  /** Reads a part again as the one thread would have read it, which throws the error of its bad row. */
  const refuse = async (part: ScanTask["part"], lines: number): Promise<void> => {
    const state: ScanState = { maxBadRows, badRows, lines, bytes: 0 };
    for await (const _ of blocksOf("kind" in part ? workplace.open(part) : part, schema, state));
  };
  for (const source of sources.keys()) {
    const changed = new TtError("E_MISMATCH", `${sources[source].name} changed while it was read`);
    let lines = 0;
    const own = [...tasks.keys()].filter((task) => tasks[task].source === source);
    if (own.length === 0) {
      const known = scans[source]?.badRows ?? 0;
      if (badRows + known > maxBadRows) {
        await refuse(sources[source], 0);
        throw changed;
      }
      badRows += known;
    }
    for (const index of own) {
      const outcome = outcomes[index];
      if (outcome === undefined) throw new Error("a task before a failed one was not run");
      const failed = "error" in outcome;
      if (failed && !(isTtError(outcome.error) && outcome.error.code === "E_ROW")) throw outcome.error;
      if (failed || badRows + outcome.result.badRows > maxBadRows) {
        // Its line and its number count what lies before this part, which only now is known.
        await refuse(tasks[index].part, lines);
        throw failed ? outcome.error : changed;
      }
      badRows += outcome.result.badRows;
      lines += outcome.result.lines;
    }
  }
  return badRows;
}
