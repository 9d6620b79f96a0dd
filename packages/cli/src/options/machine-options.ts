import { choiceOption, integerOption, type OptionSpec, refuse } from "./option-spec.ts";

/** How the machine is used; no part of a run's identity, so that a run may go on on another machine. */
export interface MachineSettings {
  readonly threads: number | "auto";
  readonly blas: string;
  readonly simd: "auto" | "simd" | "relaxed";
}

/** How the machine is used for a model, whose TT tables may compute on a GPU. */
export interface ModelMachineSettings extends MachineSettings {
  readonly backend: "wasm" | "gpu";
  readonly gpuMode: "auto" | "webgpu" | "webgl2" | "webasm" | "cpu";
}

const THREADS: OptionSpec<number | "auto"> = {
  default: "auto",
  description: "Threads that compute; auto takes all that the machine offers",
  placeholder: "n|auto",
  schema: { anyOf: [{ type: "integer", minimum: 1 }, { const: "auto" }] },
  parse: (name, value) => (value === "auto" ? value : integerOption(1, 1, "").parse(name, value)),
};

const BLAS: OptionSpec<string> = {
  default: "auto",
  description: "BLAS library for large matrix products: its path, or auto for the system's, where there is one",
  placeholder: "auto|off|path",
  schema: { type: "string", minLength: 1 },
  parse(name, value) {
    if (typeof value === "string" && value !== "") return value;
    throw refuse(name, value, "auto, off, or the path of a library");
  },
};

/** Flags of every command that computes. */
export const MACHINE_OPTIONS: { readonly [name in keyof MachineSettings]: OptionSpec<MachineSettings[name]> } = {
  threads: THREADS,
  blas: BLAS,
  simd: choiceOption(
    "auto",
    ["auto", "simd", "relaxed"],
    "Build of the WebAssembly kernels: relaxed is faster, simd gives the same bits on every machine; auto is relaxed where it runs",
  ),
};

/** Flags of every command that computes with a model. */
export const MODEL_MACHINE_OPTIONS: {
  readonly [name in keyof ModelMachineSettings]: OptionSpec<ModelMachineSettings[name]>;
} = {
  ...MACHINE_OPTIONS,
  backend: choiceOption(
    "wasm",
    ["wasm", "gpu"],
    "What computes the TT tables: the kernels of this machine's processor, or gpu.js",
  ),
  gpuMode: choiceOption(
    "auto",
    ["auto", "webgpu", "webgl2", "webasm", "cpu"],
    "Mode of gpu.js for --backend gpu; auto takes a GPU where one answers, otherwise WebAssembly",
  ),
};
