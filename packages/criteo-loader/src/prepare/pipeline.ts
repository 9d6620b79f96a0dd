import { sha256 } from "@tt-rec/tensor";
import { readDictionary, type SavedDictionary, saveDictionary } from "../dictionary/dictionaries-file.ts";
import { CRITEO_SCHEMA, type LogSchema } from "../log/log-schema.ts";
import type { RowBlock } from "../log/row-block.ts";
import type { LogSource, RowSource } from "../log/row-source.ts";
import { type DictionaryFile, MANIFEST_FORMAT, type Manifest, type ManifestFile } from "../manifest/manifest.ts";
import type { IdOrder } from "../order/id-order.ts";
import { resolveOrder } from "../order/resolve-order.ts";
import { readRows } from "../stage/read-rows.ts";
import { type StagedSource, scratchName, stagedRows } from "../stage/staged-source.ts";
import { type PreparedWith, type PrepareOptions, type PrepareProgress, resolveOptions } from "./prepare-options.ts";
import { scanSources } from "./scan-sources.ts";
import { type PlannedFile, planFiles, planSplit, type RowRange } from "./split-rows.ts";
import { type EncodeTask, type IndexFiles, type LearnResult, type LearnTask, removeScratch, type Tell } from "./tasks.ts";
import { allDone, type Journal, type Workplace } from "./workplace.ts";
import { clearDataset, commitManifest, refuseExisting } from "./write-dataset.ts";

/** A run of `prepare` as its stages see it. */
interface Run {
  readonly schema: LogSchema;
  readonly settings: PreparedWith;
  readonly workplace: Workplace;
  readonly journal: Journal | undefined;
  readonly onProgress: PrepareOptions["onProgress"];
}

/** Does the work of `prepare` at a workplace. Threads and interruptions change nothing in the bytes of the data set. */
export async function runPipeline(
  sources: readonly (LogSource | RowSource)[],
  options: PrepareOptions,
  workplace: Workplace,
  orderOf: typeof resolveOrder = resolveOrder,
): Promise<Manifest> {
  const schema = options.schema ?? CRITEO_SCHEMA;
  const settings = resolveOptions(options, sources.length);
  const journal = await openJournal(sources, schema, settings, workplace);
  // A run that has cleared the target finds its own data set, if it was interrupted after that was complete.
  if (!options.replace && journal?.get("cleared") === undefined) await refuseExisting(workplace.target);
  journal?.begin();
  const run: Run = { schema, settings, workplace, journal, onProgress: options.onProgress };

  const { stages, badRows } = await scanSources(
    sources,
    schema,
    settings.maxBadRows,
    workplace,
    journal,
    progress(options.onProgress, "scan", undefined),
  );
  const sourceRows = stages.map((stage) => stagedRows([stage]));
  const plan = planSplit(sourceRows, settings.split);
  if (journal?.get("cleared") === undefined) {
    await clearDataset(workplace.target);
    journal?.put("cleared", true);
  }
  const order = orderOf(settings.idOrder, options.rowShape);
  const learned = await learnColumns(run, stages, plan.splits.train, order === undefined ? "target" : "aside");
  const ordered = order === undefined ? undefined : await orderOnce(run, stages, plan.splits.train, learned, order);
  const files = await encodeFiles(run, stages, planFiles(plan), ordered?.files ?? learnedFiles(schema));
  const manifest = await commitManifest(
    workplace.target,
    {
      schema,
      cardinalities: learned.map(({ cardinality }) => cardinality),
      histograms: learned.map(({ histogram }) => histogram),
      badRows,
      sources: sources.map(({ name }, source) => ({ name, rows: sourceRows[source] })),
      options: settings,
      files,
      dictionaries: ordered?.dictionaries ?? learned.map(({ file }) => file),
    },
    plan,
  );
  await workplace.clean();
  return manifest;
}

/** The journal of this very run: the same sources, unchanged, and the same options. */
async function openJournal(
  sources: readonly (LogSource | RowSource)[],
  schema: LogSchema,
  settings: PreparedWith,
  workplace: Workplace,
): Promise<Journal | undefined> {
  if (workplace.journal === undefined) return undefined;
  const identities = await Promise.all(sources.map(async (source) => [source.name, await source.identity?.()]));
  // A source that cannot tell whether it changed is read anew each time.
  const unknown = identities.some(([, identity]) => identity === undefined) ? Math.random() : 0;
  const key = JSON.stringify([MANIFEST_FORMAT.version, schema, settings, identities, unknown]);
  return workplace.journal(await sha256(new TextEncoder().encode(key)));
}

function progress(onProgress: PrepareOptions["onProgress"], pass: PrepareProgress["pass"], total: number | undefined): Tell {
  const done = { rows: 0, bytes: 0 };
  return (rows, bytes) => {
    done.rows += rows;
    done.bytes += bytes;
    onProgress?.({ pass, rows: Math.floor(done.rows), bytes: done.bytes, ...(total !== undefined && { total }) });
  };
}

async function learnColumns(
  { schema, settings, workplace, journal, onProgress }: Run,
  stages: readonly StagedSource[],
  train: RowRange,
  dictionary: LearnTask["dictionary"],
): Promise<LearnResult[]> {
  const { minFrequency, maxIndexRange, hashSize } = settings;
  const rule = { train, minFrequency, maxIndexRange, hashSize, tableBytes: workplace.tableBytes };
  const total = stagedRows(stages);
  const tell = progress(onProgress, "learn", total);
  const known = schema.ids.map((_, column) => journal?.get(`learn-${column}`) as LearnResult | undefined);
  const left = [...schema.ids.keys()].filter((column) => known[column] === undefined);
  tell((total * (schema.ids.length - left.length)) / schema.ids.length, 0);
  const tasks = left.map((column): LearnTask => ({ kind: "learn", column, schema, stages, rule, dictionary }));
  const outcomes = await workplace.run<"learn">(
    tasks,
    () => undefined,
    async (index, result) => {
      const { column } = tasks[index];
      known[column] = result;
      journal?.put(`learn-${column}`, result);
      for (const { source } of stages) workplace.scratch.remove(scratchName.raw(source, column));
      tell(total / schema.ids.length, 0);
    },
  );
  allDone(outcomes);
  return known as LearnResult[];
}

/** What an id order left. */
interface OrderedColumns {
  readonly files: IndexFiles[];
  readonly dictionaries: DictionaryFile[];
}

/** Applies an id order, unless the journal knows that it was done: scratch that it would need may be gone by then. */
async function orderOnce(
  run: Run,
  stages: readonly StagedSource[],
  train: RowRange,
  learned: readonly LearnResult[],
  order: IdOrder,
): Promise<OrderedColumns> {
  const known = run.journal?.get("order") as OrderedColumns | undefined;
  if (known !== undefined) return known;
  const ordered = await orderColumns(run, stages, train, learned, order);
  run.journal?.put("order", ordered);
  return ordered;
}

/** Applies an id order: new dictionaries, and files of new indices for the columns that it changes. */
async function orderColumns(
  { schema, workplace, onProgress }: Run,
  stages: readonly StagedSource[],
  train: RowRange,
  learned: readonly LearnResult[],
  order: IdOrder,
): Promise<OrderedColumns> {
  const { scratch, aside, target } = workplace;
  const dictionary = (column: number): Promise<SavedDictionary> => readDictionary(aside, learned[column].file);
  const places = await order({
    schema,
    rows: train.to - train.from,
    cardinalities: learned.map(({ cardinality }) => cardinality),
    dictionary,
    blocks: () => withoutLabels(readRows(scratch, stages, schema, learnedFiles(schema), train.from, train.to)),
  });
  const changed = [...schema.ids.keys()].filter((column) => places[column] !== undefined);
  const tell = progress(onProgress, "order", stagedRows(stages));
  const outcomes = await workplace.run<"order">(
    changed.map((column) => ({ kind: "order", column, schema, stages, places: places[column] as Uint32Array })),
    () => undefined,
    async () => tell(stagedRows(stages) / changed.length, 0),
  );
  allDone(outcomes);
  const dictionaries: DictionaryFile[] = [];
  for (const column of schema.ids.keys()) {
    dictionaries.push(await saveDictionary(target, column, reordered(await dictionary(column), places[column])));
  }
  return { files: schema.ids.map((_, column) => (places[column] === undefined ? "indices" : "ordered")), dictionaries };
}

const learnedFiles = ({ ids }: LogSchema): IndexFiles[] => ids.map(() => "indices");

async function* withoutLabels(blocks: AsyncIterable<RowBlock>): AsyncGenerator<Omit<RowBlock, "labels">> {
  for await (const { rows, dense, ids } of blocks) yield { rows, dense, ids };
}

function reordered({ values, counts }: SavedDictionary, places: Uint32Array | undefined): SavedDictionary {
  if (places === undefined) return { values, counts };
  const words = counts.length > 1 ? values.length / (counts.length - 1) : 1;
  const moved = { values: new Uint32Array(values.length), counts: new Uint32Array(counts.length) };
  for (const [index, place] of places.entries()) {
    moved.counts[place] = counts[index];
    if (index === 0) continue;
    for (let word = 0; word < words; word++) moved.values[(place - 1) * words + word] = values[(index - 1) * words + word];
  }
  return moved;
}

async function encodeFiles(
  { schema, settings, workplace, journal, onProgress }: Run,
  stages: readonly StagedSource[],
  planned: readonly PlannedFile[],
  files: readonly IndexFiles[],
): Promise<ManifestFile[]> {
  const tell = progress(onProgress, "encode", stagedRows(stages));
  const written = planned.map(({ name }) => journal?.get(`encode-${name}`) as ManifestFile | undefined);
  const left = planned.filter((_, index) => written[index] === undefined);
  const tasks = left.map((file): EncodeTask => ({ kind: "encode", file, schema, stages, settings, files }));
  const outcomes = await workplace.run<"encode">(
    tasks,
    () => undefined,
    async (index, result) => {
      written[planned.indexOf(left[index])] = result;
      journal?.put(`encode-${result.name}`, result);
      tell(result.rows, 0);
      dropSpentScratch(workplace, stages, planned, written, schema.ids.length);
    },
  );
  allDone(outcomes);
  return written as ManifestFile[];
}

/** Removes the scratch of sources whose rows are all written: a big log need not be on disk twice. */
function dropSpentScratch(
  { scratch }: Workplace,
  stages: readonly StagedSource[],
  planned: readonly PlannedFile[],
  written: readonly (ManifestFile | undefined)[],
  columns: number,
): void {
  let row = 0;
  for (const stage of stages) {
    const [from, to] = [row, row + stagedRows([stage])];
    row = to;
    const needed = planned.some((file, index) => written[index] === undefined && file.from < to && file.to > from);
    if (!needed) removeScratch(scratch, stage.source, columns);
  }
}
