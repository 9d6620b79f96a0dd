import { basename, dirname } from "node:path";
import { Readable } from "node:stream";
import { createGzip } from "node:zlib";
import { generateLog } from "@tt-rec/criteo-loader";
import { nodeDirectory } from "@tt-rec/tensor/node";
import { formatBytes, formatCount } from "../output/format.ts";
import type { Reporter } from "../output/reporter.ts";

/** Options of `tt-rec generate`. */
export interface GenerateOptions {
  /** Number of rows. */
  readonly rows: number;
  /** Share of Criteo Kaggle's cardinalities. */
  readonly scale: number;
  /** Seed of the whole log. */
  readonly seed: number;
}

/** Writes a Criteo-like raw log, gzipped if the name ends with .gz. */
export async function generate(path: string, options: GenerateOptions, reporter: Reporter): Promise<void> {
  const bar = reporter.bar("generate", options.rows, "rows");
  const text = countLines(generateLog(options), (rows) => bar.update(rows));
  const content = path.endsWith(".gz") ? Readable.from(text).pipe(createGzip({ level: 1 })) : text;
  const file = await nodeDirectory(dirname(path)).commit(basename(path), content);
  bar.stop();
  reporter.line(`${path}: ${formatCount(options.rows)} rows, ${formatBytes(file.byteLength)}`);
  reporter.event("generated", { path, rows: options.rows, bytes: file.byteLength, sha256: file.sha256 });
}

async function* countLines(chunks: AsyncIterable<Uint8Array>, onProgress: (rows: number) => void): AsyncGenerator<Uint8Array> {
  let rows = 0;
  for await (const chunk of chunks) {
    for (let i = chunk.indexOf(10); i >= 0; i = chunk.indexOf(10, i + 1)) rows++;
    onProgress(rows);
    yield chunk;
  }
}
