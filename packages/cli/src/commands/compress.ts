import { basename, dirname } from "node:path";
import { type HostTensor, type SafetensorsEntry, TtError, writeSafetensors } from "@tt-rec/tensor";
import { nodeDirectory } from "@tt-rec/tensor/node";
import {
  compactShape,
  createTTShape,
  encodeTables,
  planCompression,
  type QuantizedCores,
  storedBytes,
  suggestShape,
  type TTShape,
} from "@tt-rec/tt-math";
import type { CompressFlags } from "../options/compress-options.ts";
import type { MachineSettings } from "../options/machine-options.ts";
import { formatBytes, formatCount, formatRatio, formatTable } from "../output/format.ts";
import type { Reporter } from "../output/reporter.ts";
import { withRuntime } from "../run/with-runtime.ts";
import { compressTable } from "../tables/compress-table.ts";
import { openTableFile, readCounts } from "../tables/table-file.ts";

/** What `compress` reads and writes. */
export interface CompressPaths {
  /** A safetensors or .npy file. */
  readonly source: string;
  /** The safetensors file to write. */
  readonly out: string;
  /** Access counts of the tables. */
  readonly counts: string | undefined;
  /** Replace the file that `out` names. */
  readonly replace: boolean;
}

/** A line of the report. */
interface ReportRow {
  readonly name: string;
  readonly shape: TTShape;
  readonly bytes: number;
  readonly ratio: number;
  readonly relativeError: number;
  readonly weightedError?: number;
  readonly method: string;
  readonly seconds: number;
}

/** Ranks for which compact factors are chosen where an error, not a rank, is asked for. */
const TYPICAL_RANK = 16;

/** Names of optimizer state and cached rows, which have the shapes of tables; they are compressed only if they are named. */
const NO_TABLE = /adagrad|momentum|exp_avg|(^|\.)cache\./i;

/** Compresses the tables of a trained model into TT-cores, and reports what that cost. */
export async function compress(
  paths: CompressPaths,
  flags: CompressFlags,
  machine: MachineSettings,
  reporter: Reporter,
): Promise<void> {
  const { source, out } = paths;
  const goals = [flags.budget, flags.ratio, flags.epsilon].filter((goal) => goal > 0);
  if (goals.length !== 1) throw new TtError("E_OPTION", "compress needs one of --budget, --ratio or --epsilon");
  const [target, name] = [nodeDirectory(dirname(out)), basename(out)];
  if (!paths.replace && (await target.list()).includes(name)) {
    throw new TtError("E_EXISTS", `${out} exists; --replace replaces it`, { file: out });
  }
  const file = await openTableFile(source);
  const tables = chooseTables(file.tensors, flags.tables, source);
  const counts = paths.counts === undefined ? undefined : await readCounts(paths.counts, tables);
  const others = file.tensors.filter((tensor) => !tables.includes(tensor));
  const shapes = planShapes(
    tables,
    others.reduce((sum, { byteLength }) => sum + byteLength, 0),
    flags,
  );

  const cores = new Map<string, QuantizedCores>();
  const kept = new Map<string, HostTensor>();
  for (const tensor of others) kept.set(tensor.name, await file.read(tensor));
  const report: ReportRow[] = [];
  await withRuntime(machine, reporter, async (runtime) => {
    for (const [t, tensor] of tables.entries()) {
      const shape = shapes[t];
      if (shape === undefined) {
        kept.set(tensor.name, await file.read(tensor));
        reporter.line(`${tensor.name}: ${formatCount(tensor.shape[0])} x ${tensor.shape[1]} stays as it is`);
        continue;
      }
      const row = await compressOne(tensor, shape);
      if (row !== undefined) report.push(row);
    }

    async function compressOne(tensor: SafetensorsEntry, shape: TTShape): Promise<ReportRow | undefined> {
      const bar = reporter.bar(tensor.name, 100, "%");
      const started = performance.now();
      let shown = -1;
      const found = await compressTable(
        runtime,
        file.rows(tensor),
        {
          shape,
          ...(flags.epsilon > 0 && { epsilon: flags.epsilon }),
          ...(counts !== undefined && { counts: counts.get(tensor.name) as Float64Array }),
          storage: flags.storage,
          seed: flags.seed,
        },
        (share, step) => {
          const percent = Math.floor(100 * share);
          bar.update(percent, step);
          if (percent > shown) reporter.event("progress", { table: tensor.name, percent, step });
          shown = Math.max(shown, percent);
        },
      ).finally(() => bar.stop());
      const bytes = storedBytes(found.cores.shape, flags.storage);
      if (bytes >= tensor.byteLength) {
        kept.set(tensor.name, await file.read(tensor));
        reporter.line(`${tensor.name}: its cores would take ${formatBytes(bytes)}, so it stays as it is`);
        return undefined;
      }
      cores.set(tensor.name, found.cores);
      // A weighted fit gives up rows that are hardly looked up, and that on purpose.
      if (flags.epsilon > 0 && counts === undefined && found.relativeError > flags.epsilon) {
        const { relativeError: error } = found;
        reporter.warning(
          `${tensor.name}: in ${flags.storage} its error is ${error.toPrecision(3)}, above --epsilon = ${flags.epsilon}`,
          { table: tensor.name, relativeError: error },
        );
      }
      const { relativeError, weightedError, method } = found;
      const seconds = (performance.now() - started) / 1000;
      const [rows, columns] = tensor.shape;
      const row: ReportRow = {
        name: tensor.name,
        shape: found.cores.shape,
        bytes,
        ratio: (4 * rows * columns) / bytes,
        relativeError,
        ...(weightedError !== undefined && { weightedError }),
        method,
        seconds,
      };
      reporter.event("table", row);
      return row;
    }
  });

  const encoded = encodeTables(cores);
  const clash = [...kept.keys()].find((key) => encoded.tensors.has(key));
  if (clash !== undefined) throw new TtError("E_MISMATCH", `${source} already has a tensor "${clash}"`, { tensor: clash });
  await target.commit(name, writeSafetensors(new Map([...kept, ...encoded.tensors]), encoded.metadata));
  printReport(report, out, counts !== undefined, tables, kept, reporter);
}

/** The tables to compress: those that are named, or all that look like embedding tables. */
function chooseTables(tensors: readonly SafetensorsEntry[], names: readonly string[], source: string): SafetensorsEntry[] {
  const isTable = ({ dtype, shape }: SafetensorsEntry): boolean => shape.length === 2 && (dtype === "F32" || dtype === "F16");
  if (names.length === 0) {
    const isLarge = ([rows, columns]: readonly number[]): boolean => rows >= Math.max(1000, 8 * columns);
    const found = tensors.filter((tensor) => isTable(tensor) && isLarge(tensor.shape) && !NO_TABLE.test(tensor.name));
    if (found.length > 0) return found;
    throw new TtError("E_EMPTY", `${source} has no table of 1,000 rows or more; --tables names others`, { file: source });
  }
  return names.map((name) => {
    const found = tensors.find((tensor) => tensor.name === name);
    if (found !== undefined && isTable(found)) return found;
    const what = found === undefined ? "is not in" : "is no float32 or float16 table in";
    throw new TtError("E_OPTION", `--tables: "${name}" ${what} ${source}`, { tensor: name });
  });
}

/** Shapes and ranks of the tables; undefined for one that stays dense. */
function planShapes(
  tables: readonly SafetensorsEntry[],
  otherBytes: number,
  { budget, ratio, epsilon, shapes, storage }: CompressFlags,
): (TTShape | undefined)[] {
  const numEmbeddings = tables.map(({ shape }) => shape[0]);
  const embeddingDim = tables.map(({ shape }) => shape[1]);
  if (epsilon > 0) {
    return numEmbeddings.map((n, t) => {
      const columnShape = suggestShape(embeddingDim[t], 3, { roundUp: false });
      const rowShape = shapes === "compact" ? compactShape(n, columnShape, TYPICAL_RANK) : suggestShape(n, 3);
      return createTTShape({ numEmbeddings: n, embeddingDim: embeddingDim[t], rowShape, columnShape, ranks: 1 });
    });
  }
  if (budget > 0 && budget <= otherBytes) {
    throw new TtError("E_OPTION", `--budget = ${budget} bytes: the tensors that are not compressed take ${otherBytes}`);
  }
  const goal = budget > 0 ? { budgetBytes: budget - otherBytes } : { targetRatio: ratio };
  return planCompression({ numEmbeddings, embeddingDim, ...goal, shapes, storage }).tables.map(({ shape }) => shape);
}

function printReport(
  report: readonly ReportRow[],
  out: string,
  weighted: boolean,
  tables: readonly SafetensorsEntry[],
  kept: ReadonlyMap<string, HostTensor>,
  reporter: Reporter,
): void {
  const head = ["table", "rows", "row shape", "ranks", "bytes", "ratio", "error", ...(weighted ? ["weighted"] : []), "time"];
  const rows = report.map(({ name, shape, bytes, ratio, relativeError, weightedError, seconds }) => [
    name,
    formatCount(shape.numEmbeddings),
    shape.rowShape.join(" x "),
    shape.ranks.slice(1, -1).join(" "),
    formatBytes(bytes),
    formatRatio(ratio),
    relativeError.toPrecision(3),
    ...(weighted ? [weightedError?.toPrecision(3) ?? ""] : []),
    `${seconds.toFixed(1)} s`,
  ]);
  if (rows.length > 0) reporter.line(formatTable(head, rows));
  const names = new Set(tables.map(({ name }) => name));
  const keptTableBytes = [...kept].reduce((sum, [name, { data }]) => sum + (names.has(name) ? data.byteLength : 0), 0);
  const bytes = report.reduce((sum, row) => sum + row.bytes, keptTableBytes);
  const uncompressedBytes = tables.reduce((sum, { shape }) => sum + 4 * shape[0] * shape[1], 0);
  const ratio = uncompressedBytes / bytes;
  reporter.line(
    `${out}: ${tables.length} ${tables.length === 1 ? "table" : "tables"}, ${formatBytes(uncompressedBytes)} in float32, now ${formatBytes(bytes)} (${formatRatio(ratio)})`,
  );
  reporter.event("compressed", { out, tables: tables.length, bytes, uncompressedBytes, ratio });
}
