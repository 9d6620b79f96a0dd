import { type PrepareOptions, prepare as prepareLog } from "@tt-rec/criteo-loader";
import { logFile } from "@tt-rec/criteo-loader/node";
import { nodeDirectory } from "@tt-rec/tensor/node";
import { formatCount } from "../output/format.ts";
import type { ProgressBar, Reporter } from "../output/reporter.ts";

const PASSES = { count: "counting", learn: "learning", encode: "encoding" } as const;

/** Shortest time between two progress events, in milliseconds: a big log has hundreds of thousands of blocks. */
const EVENT_INTERVAL = 1000;

/** Turns raw logs into an Arrow data set. */
export async function prepare(
  logs: readonly string[],
  target: string,
  options: PrepareOptions,
  reporter: Reporter,
): Promise<void> {
  let bar: ProgressBar | undefined;
  let pass = "";
  let total = 0;
  let lastEvent = 0;
  const { maxIndexRange, ...others } = options;
  const manifest = await prepareLog(logs.map(logFile), nodeDirectory(target), {
    ...others,
    // 0 is the command's word for "as they are".
    ...(maxIndexRange !== undefined && maxIndexRange > 0 && { maxIndexRange }),
    onProgress(progress) {
      // The first pass finds out how many rows there are.
      if (progress.pass === "count") total = progress.rows;
      if (progress.pass !== pass) {
        bar?.stop();
        bar = progress.pass === "count" ? undefined : reporter.bar(PASSES[progress.pass], total, "rows");
        pass = progress.pass;
      }
      bar?.update(progress.rows);
      if (performance.now() - lastEvent < EVENT_INTERVAL) return;
      lastEvent = performance.now();
      reporter.event("progress", progress);
    },
  }).finally(() => bar?.stop());
  const { rows, badRows, cardinalities } = manifest;
  reporter.line(
    `${target}: ${formatCount(rows.train)} training, ${formatCount(rows.validation)} validation, ${formatCount(rows.test)} test rows`,
  );
  reporter.line(
    `${formatCount(cardinalities.reduce((a, b) => a + b, 0))} ids in ${cardinalities.length} tables; ${badRows} bad rows skipped`,
  );
  reporter.event("prepared", { target, rows, badRows, cardinalities });
}
