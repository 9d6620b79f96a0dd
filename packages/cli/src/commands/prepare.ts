import type { PrepareProgress } from "@tt-rec/criteo-loader";
import { logFile, type PrepareFilesOptions, prepareFiles } from "@tt-rec/criteo-loader/node";
import { formatCount } from "../output/format.ts";
import type { ProgressBar, Reporter } from "../output/reporter.ts";

const PASSES = { scan: "reading", learn: "learning", order: "ordering", encode: "encoding" } as const;

/** Shortest time between two progress events, in milliseconds: a big log has hundreds of thousands of blocks. */
const EVENT_INTERVAL = 1000;

/** Options of `tt-rec prepare`; 0 and "auto" stand for what the loader has no number for. */
export type PrepareSettings = Omit<PrepareFilesOptions, "threads" | "maxIndexRange"> & {
  /** Threads that work. */
  readonly threads: number | "auto";
  /** Raw ids are taken modulo this number; 0 takes them as they are. */
  readonly maxIndexRange: number;
};

/** Turns raw logs into an Arrow data set. */
export async function prepare(
  logs: readonly string[],
  target: string,
  { threads, maxIndexRange, ...options }: PrepareSettings,
  reporter: Reporter,
): Promise<void> {
  const progress = showProgress(reporter);
  const manifest = await prepareFiles(
    logs.map((path) => logFile(path)),
    target,
    {
      ...options,
      ...(threads !== "auto" && { threads }),
      ...(maxIndexRange > 0 && { maxIndexRange }),
      onProgress: progress.update,
    },
  ).finally(progress.stop);
  const { rows, badRows, cardinalities } = manifest;
  reporter.line(
    `${target}: ${formatCount(rows.train)} training, ${formatCount(rows.validation)} validation, ${formatCount(rows.test)} test rows`,
  );
  reporter.line(
    `${formatCount(cardinalities.reduce((a, b) => a + b, 0))} ids in ${cardinalities.length} tables; ${badRows} bad rows skipped`,
  );
  reporter.event("prepared", { target, rows, badRows, cardinalities });
}

/** A bar for each pass that knows its end, and an event now and then. */
function showProgress(reporter: Reporter): { update(progress: PrepareProgress): void; stop(): void } {
  let bar: ProgressBar | undefined;
  let pass = "";
  let lastEvent = 0;
  return {
    update(progress) {
      if (progress.pass !== pass) {
        bar?.stop();
        bar = progress.total === undefined ? undefined : reporter.bar(PASSES[progress.pass], progress.total, "rows");
        pass = progress.pass;
      }
      bar?.update(progress.rows);
      if (performance.now() - lastEvent < EVENT_INTERVAL) return;
      lastEvent = performance.now();
      reporter.event("progress", progress);
    },
    stop: () => bar?.stop(),
  };
}
