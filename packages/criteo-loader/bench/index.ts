import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { memoryDirectory } from "@tt-rec/tensor";
import { report, runBenchmark, saveResults } from "@tt-rec/testing";
import { parse } from "csv-parse/sync";
import { CRITEO_SCHEMA, generateLog, type LogSource, openDataset, prepare } from "../src/index.ts";
import { scanRows } from "../src/log/scan-rows.ts";

const ROWS = 20_000;
const chunks: Uint8Array[] = [];
for await (const chunk of generateLog({ rows: ROWS, seed: 2021 })) chunks.push(chunk);
const megabytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0) / 1e6;
const log: LogSource = {
  name: "generated",
  async *chunks() {
    yield* chunks;
  },
};
const rows = { amount: ROWS, unit: "row" };

async function scan(): Promise<number> {
  let sum = 0;
  for await (const block of scanRows(log, CRITEO_SCHEMA, { maxBadRows: 0, badRows: 0, lines: 0, bytes: 0 })) sum += block.rows;
  return sum;
}

/** Numbers from the fields of a row, as a script would take them. */
function convert(fields: readonly string[], into: Float64Array): number {
  for (let column = 0; column < 14; column++) into[column] = fields[column] === "" ? 0 : Number(fields[column]);
  for (let column = 14; column < 40; column++) into[column] = fields[column] === "" ? 0 : Number.parseInt(fields[column], 16);
  return into[14];
}

const row = new Float64Array(40);

async function readlineAndSplit(): Promise<number> {
  let sum = 0;
  for await (const line of createInterface({ input: Readable.from(chunks) })) sum += convert(line.split("\t"), row);
  return sum;
}

function csvParse(): number {
  const records: string[][] = parse(Buffer.concat(chunks), { delimiter: "\t", quote: false });
  return records.reduce((sum, fields) => sum + convert(fields, row), 0);
}

const directory = memoryDirectory();
await prepare([log], directory, { days: 2, validationShare: 0 });
const dataset = await openDataset(directory);
const half = { amount: dataset.rows("train"), unit: "row" };

async function read(batchSize: number, shuffle: boolean): Promise<number> {
  let sum = 0;
  for await (const { labels } of dataset.batches({ split: "train", batchSize, shuffle })) sum += labels[0];
  return sum;
}

async function generate(scale: number): Promise<number> {
  let bytes = 0;
  for await (const chunk of generateLog({ rows: ROWS, seed: 1, scale })) bytes += chunk.length;
  return bytes;
}

const results = [
  ...(await runBenchmark({
    id: "criteo-loader/scan",
    phase: "parse",
    parameters: { rows: ROWS, megabytes },
    rival: "readline-split",
    rounds: 7,
    cases: [
      { name: "scanner", engine: "criteo-loader", run: scan, work: rows },
      { name: "readline-split", engine: "node:readline", run: readlineAndSplit, work: rows },
      { name: "csv-parse", engine: "csv-parse", run: csvParse, work: rows },
    ],
  })),
  ...(await runBenchmark({
    id: "criteo-loader/prepare",
    parameters: { rows: ROWS, megabytes },
    rounds: 7,
    cases: [{ name: "memory", engine: "criteo-loader", run: () => prepare([log], memoryDirectory()), work: rows }],
  })),
  ...(await runBenchmark({
    id: "criteo-loader/batches",
    phase: "read",
    parameters: { rows: half.amount },
    rounds: 7,
    cases: [
      { name: "128", engine: "criteo-loader", run: () => read(128, false), work: half },
      { name: "2048", engine: "criteo-loader", run: () => read(2048, false), work: half },
      { name: "2048-shuffled", engine: "criteo-loader", run: () => read(2048, true), work: half },
    ],
  })),
  ...(await runBenchmark({
    id: "criteo-loader/generate",
    parameters: { rows: ROWS },
    rounds: 7,
    cases: [
      { name: "scale-1", engine: "criteo-loader", run: () => generate(1), work: rows },
      { name: "scale-0.01", engine: "criteo-loader", run: () => generate(0.01), work: rows },
    ],
  })),
];
const scanned = results[0].median;
process.stdout.write(`${report(results)}\n\nscanner: ${((scanned * megabytes) / ROWS).toFixed(0)} MB/s of text\n`);
await saveResults(results);
