import {
  createRng,
  type HostTensor,
  ParameterLayout,
  type ReadAt,
  type Runtime,
  readSafetensors,
  TtError,
  writeSafetensors,
} from "@tt-rec/tensor";
import {
  type CoreStorage,
  createTTShape,
  dequantizeCores,
  type QuantizedCores,
  quantizeCores,
  type TTShape,
} from "@tt-rec/tt-math";
import { Dlrm, type DlrmOptions } from "../dlrm.ts";
import type { DlrmConfig } from "../dlrm-config.ts";

const FORMAT = "tt-rec-model";
const VERSION = "1";

/** Prefixes of optimizer state in the name of a tensor. */
const OPTIMIZER_PREFIXES: readonly string[] = new ParameterLayout("", [1]).stateNames.slice(1);

/**
 * A whole model as one safetensors file, for scoring: its parameters and cached rows, without optimizer state and access counts,
 * and its architecture as metadata (docs/formats.md). TT-cores are stored as they are, in half precision, or as bytes with a
 * scale a slice. Throws `E_NONFINITE` where a core cannot be stored so.
 */
export async function writeModel(model: Dlrm, storage: CoreStorage = "float32"): Promise<AsyncGenerator<Uint8Array>> {
  const state = await model.state();
  const kept = new Map([...state].filter(([name]) => isParameter(name)));
  const tables = model.config.tables.flatMap(({ name }) => coresOf(kept, name, model.config));
  for (const { prefix, shape, cores } of tables) {
    const stored = quantizeCores({ shape, cores: cores.map(({ data }) => data as Float32Array) }, storage);
    storeCores(kept, prefix, stored, cores);
  }
  const metadata = new Map([
    ["format", FORMAT],
    ["version", VERSION],
    ["config", JSON.stringify(model.config)],
  ]);
  return writeSafetensors(kept, metadata);
}

/**
 * Loads a model that `writeModel` wrote. It scores as the model did, to the bit with cores in float32; it may be trained on, with new
 * optimizer state. Throws `E_CORRUPT` if the file is no safetensors, `E_VERSION` for a version that is not known, and
 * `E_MISMATCH` if it holds no model or its tensors are not those of its architecture.
 */
export async function readModel(runtime: Runtime, file: ReadAt, options: DlrmOptions = {}): Promise<Dlrm> {
  const { tensors, metadata } = await readSafetensors(file);
  if (metadata.get("format") !== FORMAT) throw new TtError("E_MISMATCH", `the file's format is not ${FORMAT}`);
  if (metadata.get("version") !== VERSION) {
    throw new TtError("E_VERSION", `version ${metadata.get("version")} of ${FORMAT} is not known, ${VERSION} is`);
  }
  const model = new Dlrm(runtime, parseConfig(metadata.get("config")), createRng(0), options);
  try {
    const own = await model.state();
    const restored = new Map([...own].map(([name, tensor]) => [name, restore(name, tensor, tensors)]));
    const extra = [...tensors.keys()].find((name) => !own.has(name) && !name.includes(".scale."));
    if (extra !== undefined) throw new TtError("E_MISMATCH", `the model has no tensor "${extra}"`, { tensor: extra });
    await model.load(restored);
    return model;
  } catch (error) {
    model.dispose();
    throw error;
  }
}

function isParameter(name: string): boolean {
  const own = name.replace(/^table\.[^.]+\./, "");
  return !OPTIMIZER_PREFIXES.some((prefix) => own.startsWith(prefix)) && !own.startsWith("counter.");
}

/** The cores of a table in a state; none if it has no cores. */
function coresOf(
  state: ReadonlyMap<string, HostTensor>,
  table: string,
  { tables, embeddingDim }: DlrmConfig,
): { prefix: string; shape: TTShape; cores: HostTensor[] }[] {
  const prefix = `table.${table}.`;
  const cores: HostTensor[] = [];
  for (let core = state.get(`${prefix}core.0`); core !== undefined; core = state.get(`${prefix}core.${cores.length}`)) {
    cores.push(core);
  }
  if (cores.length === 0) return [];
  const numEmbeddings = tables.find(({ name }) => name === table)?.numEmbeddings ?? 0;
  const [rowShape, columnShape] = [cores.map(({ shape }) => shape[0]), cores.map(({ shape }) => shape[2])];
  const ranks = cores.slice(1).map(({ shape }) => shape[1]);
  return [{ prefix, shape: createTTShape({ numEmbeddings, embeddingDim, rowShape, columnShape, ranks }), cores }];
}

function storeCores(into: Map<string, HostTensor>, prefix: string, stored: QuantizedCores, cores: readonly HostTensor[]): void {
  if (stored.storage === "float32") return;
  const dtype = stored.storage === "int8" ? "I8" : "F16";
  for (const [k, data] of stored.cores.entries()) {
    into.set(`${prefix}core.${k}`, { dtype, shape: cores[k].shape, data });
    if (stored.storage !== "int8") continue;
    into.set(`${prefix}scale.${k}`, { dtype: "F32", shape: [cores[k].shape[0]], data: stored.scales[k] });
  }
}

/** A tensor of the file in single precision; one that is not in it is the new model's own, if that is no parameter. */
function restore(name: string, own: HostTensor, tensors: ReadonlyMap<string, HostTensor>): HostTensor {
  const found = tensors.get(name);
  if (found === undefined) {
    if (!isParameter(name)) return own;
    throw new TtError("E_MISMATCH", `the file has no tensor "${name}"`, { tensor: name });
  }
  if (found.dtype === own.dtype || (found.dtype !== "I8" && found.dtype !== "F16")) return found;
  return { dtype: "F32", shape: found.shape, data: restoreCore(name, found, tensors) };
}

function restoreCore(name: string, core: HostTensor, tensors: ReadonlyMap<string, HostTensor>): Float32Array {
  if (core.shape.length !== 4)
    throw new TtError("E_MISMATCH", `tensor "${name}" of shape [${core.shape}] is no core`, { tensor: name });
  const [rows, left, columns, right] = core.shape;
  // A train of one core, whose outer ranks are closed by taking them into its columns.
  const shape = {
    numEmbeddings: rows,
    embeddingDim: left * columns * right,
    rowShape: [rows],
    columnShape: [left * columns * right],
    ranks: [1, 1],
  };
  if (core.dtype === "F16") return dequantizeCores({ storage: "float16", shape, cores: [core.data as Uint16Array] }).cores[0];
  const scales = tensors.get(name.replace(".core.", ".scale."));
  if (scales?.dtype !== "F32" || scales.data.length !== rows) {
    throw new TtError("E_MISMATCH", `the scales of "${name}" are missing or not ${rows}`, { tensor: name });
  }
  return dequantizeCores({ storage: "int8", shape, cores: [core.data as Int8Array], scales: [scales.data as Float32Array] })
    .cores[0];
}

function parseConfig(json: string | undefined): DlrmConfig {
  try {
    // The model checks what is in it.
    return JSON.parse(json ?? "") as DlrmConfig;
  } catch (cause) {
    throw new TtError("E_MISMATCH", "the file's architecture is no JSON", {}, { cause });
  }
}
