// A child process of index.ts: prepares the log argv[3] into the folder argv[4] with the engine argv[2] on argv[5] threads,
// and tells its time and its peak memory. A process of its own, so that the peak is the engine's.
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { logFile, prepareFiles } from "../../src/node.ts";
import { readTraining } from "./read-training.ts";

const [, , engine, log, out, threads] = process.argv;

/** What is used of `@duckdb/node-api`, which need not be installed. */
interface DuckDb {
  readonly DuckDBInstance: {
    create(
      path: string,
      options: Readonly<Record<string, string>>,
    ): Promise<{ connect(): Promise<{ run(sql: string): Promise<unknown> }> }>;
  };
}

const NUMBERS = Array.from({ length: 13 }, (_, i) => `I${i + 1}`);
const IDS = Array.from({ length: 26 }, (_, i) => `C${i + 1}`);

async function connect(): Promise<(sql: string) => Promise<unknown>> {
  const name: string = "@duckdb/node-api";
  const { DuckDBInstance } = (await import(name)) as DuckDb;
  const connection = await (await DuckDBInstance.create(join(out, "duck.db"), { threads })).connect();
  return (sql) => connection.run(sql);
}

const columns = [
  "'label': 'UTINYINT'",
  ...NUMBERS.map((name) => `'${name}': 'BIGINT'`),
  ...IDS.map((name) => `'${name}': 'VARCHAR'`),
];
const rows = `read_csv('${log}', delim = '\t', header = false, quote = '', escape = '', columns = {${columns.join(", ")}})`;
const features = NUMBERS.map((name) => `cast(ln(greatest(coalesce(${name}, 0), 0) + 1) as float) as ${name}`).join(", ");

/** TSV to Parquet, whose writer dictionary-encodes each row group: no global dictionary, no features. */
async function duckdbParquet(): Promise<void> {
  const run = await connect();
  await run(`copy (select * from ${rows}) to '${join(out, "rows.parquet")}' (format parquet)`);
}

/** The same job as ours: features, a dictionary for each column by frequency, and rows of indices. */
async function duckdbDictionaries(): Promise<void> {
  const run = await connect();
  const ids = IDS.map((name) => `cast('0x' || coalesce(${name}, '0') as uinteger) as ${name}`).join(", ");
  await run(`create table raw as select label, ${features}, ${ids} from ${rows}`);
  for (const name of IDS) {
    await run(
      `create table d${name} as select ${name} as v, row_number() over (order by count(*) desc, ${name}) as id from raw group by ${name}`,
    );
  }
  const joins = IDS.map((name) => `join d${name} on raw.${name} = d${name}.v`).join(" ");
  const encoded = IDS.map((name) => `d${name}.id as ${name}`).join(", ");
  await run(
    `copy (select label, ${NUMBERS.join(", ")}, ${encoded} from raw ${joins}) to '${join(out, "rows.parquet")}' (format parquet)`,
  );
}

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const start = performance.now();
if (engine === "native") await prepareFiles([logFile(log)], out, { threads: Number(threads) });
else if (engine === "duckdb-parquet") await duckdbParquet();
else if (engine === "duckdb-dictionaries") await duckdbDictionaries();
else await readTraining(log);
const ms = performance.now() - start;
const { user, system } = process.cpuUsage();
process.send?.({ ms, cpuMs: (user + system) / 1000, peakBytes: process.resourceUsage().maxRSS * 1024 });
process.exit(0);
