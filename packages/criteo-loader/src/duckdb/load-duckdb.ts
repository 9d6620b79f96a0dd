import { TtError } from "@tt-rec/tensor";

/** Version that this package was tested with. */
const VERSION = "1.5.6-r.1";
/** Not a literal, so that neither compilers nor bundlers look for an optional package. */
const PACKAGE: string = "@duckdb/node-api";

/** Values of a column of a chunk. */
export type ChunkValues = Uint8Array | Uint32Array | BigInt64Array;

/** Some rows of a result. */
interface Chunk {
  /** Number of rows. */
  readonly rowCount: number;
  /** A column by its place. */
  getColumnVector(column: number): { readonly items: ChunkValues };
}

/** A connection to a database; the part of @duckdb/node-api that is used. */
export interface Connection {
  /** Runs a statement. */
  run(sql: string): Promise<unknown>;
  /** Runs a query and hands out its rows as they are made. */
  stream(sql: string): Promise<{ fetchChunk(): Promise<Chunk | null> }>;
  /** Closes the connection. */
  closeSync(): void;
}

interface DuckDb {
  readonly DuckDBInstance: {
    create(
      path: string,
      options: Readonly<Record<string, string>>,
    ): Promise<{ connect(): Promise<Connection>; closeSync(): void }>;
  };
}

/** An open database. */
export interface Database {
  /** Its only connection. */
  readonly connection: Connection;
  /** Closes the database. */
  close(): void;
}

/**
 * Opens a database in a file. Throws `E_NOT_FOUND`, with the line that installs it, if the optional package is missing.
 */
export async function openDatabase(path: string, options: Readonly<Record<string, string>>): Promise<Database> {
  const { DuckDBInstance } = await importDuckDb();
  const instance = await DuckDBInstance.create(path, {
    // A preparation needs nothing from the network.
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
    ...options,
  });
  const connection = await instance.connect();
  return {
    connection,
    close() {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

async function importDuckDb(): Promise<DuckDb> {
  try {
    return (await import(PACKAGE)) as DuckDb;
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === "ERR_MODULE_NOT_FOUND";
    const state = missing ? "is not installed" : `cannot be loaded (${(cause as Error).message})`;
    const install = `npm install ${PACKAGE}@${VERSION}`;
    throw new TtError("E_NOT_FOUND", `the engine duckdb needs the package ${PACKAGE}, which ${state}: ${install}`, {}, { cause });
  }
}
