import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { isTtError, TtError } from "@tt-rec/tensor";
import { type CAC, type Command, cac } from "cac";
import { compare } from "./commands/compare.ts";
import { compareEmbeddings } from "./commands/compare-embeddings.ts";
import { compress } from "./commands/compress.ts";
import { evaluate } from "./commands/evaluate.ts";
import { exportModel } from "./commands/export.ts";
import { generate } from "./commands/generate.ts";
import { plan } from "./commands/plan.ts";
import { predict } from "./commands/predict.ts";
import { prepare } from "./commands/prepare.ts";
import { train } from "./commands/train.ts";
import { verify } from "./commands/verify.ts";
import { exitCodeOf } from "./exit-codes.ts";
import {
  EVALUATE_OPTIONS,
  EXPORT_OPTIONS,
  GENERATE_OPTIONS,
  type OptionSpecs,
  PLAN_OPTIONS,
  PREDICT_OPTIONS,
  PREPARE_OPTIONS,
  readAll,
  readGiven,
} from "./options/command-options.ts";
import { COMPARISON_OPTIONS } from "./options/comparison-options.ts";
import { COMPRESS_OPTIONS } from "./options/compress-options.ts";
import { MACHINE_OPTIONS, MODEL_MACHINE_OPTIONS } from "./options/machine-options.ts";
import { nearest } from "./options/nearest.ts";
import { flagOf, type OptionSpec } from "./options/option-spec.ts";
import { parseConfig } from "./options/parse-config.ts";
import { type RawSettings, resolveSettings } from "./options/resolve-settings.ts";
import { TRAIN_OPTIONS } from "./options/train-options.ts";
import type { ConsoleStreams } from "./output/console-streams.ts";
import { createReporter, type Reporter } from "./output/reporter.ts";

/** Does what a command is for; an exit code other than 0 is returned. */
type Action = (reporter: Reporter, flags: RawSettings, args: readonly unknown[]) => Promise<unknown>;

/** Runs the command `tt-rec` with some arguments, without the program's name, and returns its exit code. */
export async function runCommand(args: readonly string[], streams: ConsoleStreams): Promise<number> {
  try {
    const cli = defineCommands(streams);
    cli.parse(["node", "tt-rec", ...args], { run: false });
    if (cli.matchedCommand === undefined && cli.options.help !== true && cli.options.version !== true) {
      const [name] = cli.args;
      if (name !== undefined) throw new TtError("E_OPTION", `there is no command "${name}"; tt-rec --help lists them`);
      cli.outputHelp();
      return 2;
    }
    const code: unknown = await cli.runMatchedCommand();
    return typeof code === "number" ? code : 0;
  } catch (error) {
    streams.stderr.write(`tt-rec: ${describe(error)}\n`);
    return exitCodeOf(error);
  }
}

/** One line for a deliberate error, with its file if the sentence does not name it; the stack of an unforeseen one. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (exitCodeOf(error) === 1) return error.stack ?? error.message;
  const file = isTtError(error) ? error.where.file : undefined;
  return file === undefined || error.message.includes(file) ? error.message : `${file}: ${error.message}`;
}

function defineCommands(streams: ConsoleStreams): CAC {
  const cli = cac("tt-rec");
  const define = <T>(usage: string, description: string, specs: OptionSpecs<T>, action: Action): Command => {
    const command = cli.command(usage, description).option("--json", "JSON lines instead of text");
    for (const [name, { placeholder, description, default: fallback }] of Object.entries<OptionSpec<unknown>>(specs)) {
      const shown = Array.isArray(fallback) ? fallback.join(placeholder.includes(",") ? "," : "-") : fallback;
      // A setting that is off by default is switched on by its bare flag, and off again by --no-….
      const value = placeholder === "true|false" ? "" : ` [${placeholder}]`;
      const usage = fallback === false ? flagOf(name) + value : `${flagOf(name)} <${placeholder}>`;
      const isUnset = shown === "" || shown === false || shown === null;
      command.option(usage, isUnset ? description : `${description} (default: ${shown})`);
    }
    command.allowUnknownOptions();
    return command.action((...given: unknown[]) => {
      const flags = given.pop() as RawSettings;
      refuseUnknown(command, flags);
      return action(createReporter(streams, flags.json === true), flags, given);
    });
  };

  define("generate <file>", "Write a Criteo-like raw log with a planted model", GENERATE_OPTIONS, (reporter, flags, [file]) =>
    generate(String(file), readAll(GENERATE_OPTIONS, flags), reporter),
  );
  define(
    "prepare [...logs]",
    "Turn raw logs (Criteo's, or tables with --schema; .gz) into an Arrow data set; after an interruption the same command goes on",
    PREPARE_OPTIONS,
    async (reporter, flags, [logs]) => {
      const [paths, out] = [(logs as unknown[]).map(String), required(flags, "out")];
      if (paths.length === 0 && flags.verify !== true) throw new TtError("E_OPTION", "prepare needs a log, or --verify");
      if (flags.split !== undefined && (flags.days !== undefined || flags.validationShare !== undefined)) {
        throw new TtError("E_OPTION", "--split is another rule than --days and --validation-share; both cannot hold");
      }
      if (paths.length > 0) await prepare(paths, out, readAll(PREPARE_OPTIONS, flags), reporter);
      if (flags.verify === true) await verify(out, reporter);
    },
  )
    .option("--out <folder>", "Folder for the data set")
    .option("--verify", "Check every byte of the data set against its checksums; without a log, do only that");
  define("plan [dataset]", "Show sizes and compression ratios before training", PLAN_OPTIONS, (reporter, flags, [dataset]) =>
    plan(dataset === undefined ? undefined : String(dataset), readGiven(PLAN_OPTIONS, flags), reporter),
  );
  define(
    "train <dataset>",
    "Train a model and save it",
    { ...TRAIN_OPTIONS, ...MODEL_MACHINE_OPTIONS },
    async (reporter, flags, [dataset]) => {
      const config = await readConfig(flags);
      const out = required(flags, "out");
      const name = flags.name === undefined ? out : String(flags.name);
      return train(
        {
          ...{ dataset: String(dataset), out, name, resume: flags.resume === true, replace: flags.replace === true },
          ...{ profile: flags.profile === true, report: textOf(flags, "report") },
        },
        resolveSettings(flags, config),
        readAll(MODEL_MACHINE_OPTIONS, flags),
        reporter,
      );
    },
  )
    .option("--out <folder>", "Folder for the model and the record of the run")
    .option("--name <name>", "Name of the run in tables and charts (default: the folder)")
    .option("--config <file>", "JSON file with settings; flags override it")
    .option("--preset <name>", "Start from settings with a name: kaggle, terabyte, kaggle-tt-top7-r32 and the like")
    .option("--report <file>", "Also write a self-contained HTML page with charts")
    .option("--profile", "Tell at the end how much time each part of the steps took")
    .option("--resume", "Go on from the checkpoint in the folder")
    .option("--replace", "Replace the run that the folder holds");
  define(
    "evaluate <run> <dataset>",
    "Measure a trained model on a data set",
    { ...EVALUATE_OPTIONS, ...MODEL_MACHINE_OPTIONS },
    (reporter, flags, [run, dataset]) =>
      evaluate(
        ...([String(run), String(dataset)] as const),
        ...([readAll(EVALUATE_OPTIONS, flags), readAll(MODEL_MACHINE_OPTIONS, flags)] as const),
        reporter,
      ),
  );
  define(
    "predict <model> <dataset> [...files]",
    "Write the probability of a click of each raw row, by a run or an exported model and the dictionaries of its data set",
    { ...PREDICT_OPTIONS, ...MODEL_MACHINE_OPTIONS },
    (reporter, flags, [model, dataset, files]) => {
      const paths = (files as unknown[]).map(String);
      if (paths.length === 0) throw new TtError("E_OPTION", "predict needs a file with rows");
      return predict(
        { model: String(model), dataset: String(dataset), files: paths, out: textOf(flags, "out") },
        readAll(PREDICT_OPTIONS, flags),
        readAll(MODEL_MACHINE_OPTIONS, flags),
        reporter,
      );
    },
  ).option("--out <file>", "File for the probabilities (default: the standard output)");
  define(
    "export <run>",
    "Write the model of a run as one safetensors file",
    { ...EXPORT_OPTIONS, ...MACHINE_OPTIONS },
    (reporter, flags, [run]) =>
      exportModel(
        ...([String(run), required(flags, "out"), flags.replace === true] as const),
        ...([readAll(EXPORT_OPTIONS, flags), readAll(MACHINE_OPTIONS, flags)] as const),
        reporter,
      ),
  )
    .option("--out <file>", "The safetensors file to write")
    .option("--replace", "Replace the file that --out names");
  define(
    "compress <file>",
    "Compress the tables of a trained model (safetensors, .npy) into TT-cores",
    { ...COMPRESS_OPTIONS, ...MACHINE_OPTIONS },
    (reporter, flags, [file]) =>
      compress(
        {
          source: String(file),
          out: required(flags, "out"),
          counts: textOf(flags, "counts"),
          replace: flags.replace === true,
        },
        readAll(COMPRESS_OPTIONS, flags),
        readAll(MACHINE_OPTIONS, flags),
        reporter,
      ),
  )
    .option("--out <file>", "The safetensors file to write")
    .option("--counts <file>", "Accesses of each row (.npy, or safetensors by table): fits what is looked up most")
    .option("--replace", "Replace the file that --out names");
  define(
    "compare [...runs]",
    "Show finished runs side by side, or with --dataset train embeddings at equal bytes and compare them",
    { ...COMPARISON_OPTIONS, ...TRAIN_OPTIONS, ...MACHINE_OPTIONS },
    async (reporter, flags, [runs]) => {
      const [paths, report] = [(runs as unknown[]).map(String), textOf(flags, "report")];
      if (flags.dataset === undefined) {
        if (paths.length === 0) throw new TtError("E_OPTION", "compare needs runs, or --dataset");
        return compare(paths, report, reporter);
      }
      if (paths.length > 0) throw new TtError("E_OPTION", "compare takes runs or --dataset, not both");
      return compareEmbeddings(
        { datasets: String(flags.dataset).split(","), out: required(flags, "out"), report },
        readAll(COMPARISON_OPTIONS, flags),
        resolveSettings(flags, await readConfig(flags)),
        readAll(MACHINE_OPTIONS, flags),
        reporter,
      );
    },
  )
    .option("--dataset <folder,folder>", "Prepared data sets to train on, such as one for each id order")
    .option("--out <folder>", "With --dataset: folder for the results; trainings that it has are not done again")
    .option("--config <file>", "With --dataset: JSON file with settings of the base model; flags override it")
    .option("--preset <name>", "With --dataset: settings to start from")
    .option("--report <file>", "Also write a self-contained HTML page with charts");
  cli.help((sections) => {
    const description = cli.matchedCommand?.description;
    return description === undefined ? sections : sections.toSpliced(1, 0, { body: description });
  });
  cli.version(readVersion());
  return cli;
}

/** Throws `E_OPTION` for a flag that the command does not have, with the nearest that it has: the parser's own sentence would not write it as a flag. */
function refuseUnknown({ options }: Command, flags: RawSettings): void {
  const known = options.map(({ name }) => name);
  const unknown = Object.keys(flags).find((name) => name !== "--" && !known.includes(name));
  if (unknown === undefined) return;
  const given = unknown.length === 1 ? `-${unknown}` : flagOf(unknown);
  throw new TtError("E_OPTION", `there is no option ${given}; the nearest is ${flagOf(nearest(unknown, known))}`);
}

/** The version in the package's own description, two folders above the compiled module. */
function readVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { readonly version: string }).version;
}

function textOf(flags: RawSettings, name: string): string | undefined {
  return flags[name] === undefined ? undefined : String(flags[name]);
}

function required(flags: RawSettings, name: string): string {
  if (flags[name] === undefined) throw new TtError("E_OPTION", `${flagOf(name)} is missing`);
  return String(flags[name]);
}

async function readConfig({ config }: RawSettings): Promise<RawSettings> {
  if (config === undefined) return {};
  const path = String(config);
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new TtError("E_NOT_FOUND", `the config ${path} cannot be read`, { file: path }, { cause });
  });
  return parseConfig(text);
}
