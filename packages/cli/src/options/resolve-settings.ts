import { TtError } from "@tt-rec/tensor";
import { TRAIN_OPTIONS, TRAIN_PRESETS, type TrainSettings } from "./train-options.ts";

/** Values as they came from flags or a config file, not yet checked. */
export type RawSettings = Readonly<Record<string, unknown>>;

/**
 * Joins the sources of settings: a flag beats the config file, which beats the preset, which beats the default.
 * Throws `E_OPTION` on an unknown key, an unknown preset, or a value that breaks its rule.
 */
export function resolveSettings(flags: RawSettings, file: RawSettings): TrainSettings {
  const { preset: filePreset, $schema: _schema, ...fileValues } = file;
  const unknown = Object.keys(fileValues).find((key) => !Object.hasOwn(TRAIN_OPTIONS, key));
  if (unknown !== undefined) throw new TtError("E_OPTION", `the config has the unknown key "${unknown}"`);
  const preset = presetOf(flags.preset ?? filePreset);
  const names = Object.keys(TRAIN_OPTIONS) as (keyof TrainSettings)[];
  const settings = names.map((name) => {
    const given = flags[name] ?? (Object.hasOwn(fileValues, name) ? fileValues[name] : undefined);
    return [name, given === undefined ? (preset[name] ?? TRAIN_OPTIONS[name].default) : TRAIN_OPTIONS[name].parse(name, given)];
  });
  return Object.fromEntries(settings) as TrainSettings;
}

/** Parses a config file. Throws `E_OPTION` unless it is one JSON object. */
export function parseConfig(text: string): RawSettings {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new TtError("E_OPTION", `the config is not JSON: ${(cause as Error).message}`, {}, { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new TtError("E_OPTION", "the config is not a JSON object");
  return value as RawSettings;
}

/** JSON schema of a config file. */
export function configSchema(): object {
  const properties = Object.entries(TRAIN_OPTIONS).map(([name, { schema, description, default: fallback }]) => [
    name,
    { ...schema, description, default: fallback },
  ]);
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "Settings of tt-rec train",
    type: "object",
    additionalProperties: false,
    properties: {
      $schema: { type: "string" },
      preset: { enum: Object.keys(TRAIN_PRESETS), description: "Settings to start from; every other key overrides them" },
      ...Object.fromEntries(properties),
    },
  };
}

function presetOf(name: unknown): Partial<TrainSettings> {
  if (name === undefined) return {};
  if (name === "kaggle" || name === "terabyte") return TRAIN_PRESETS[name];
  throw new TtError("E_OPTION", `--preset = ${JSON.stringify(name)} is not one of ${Object.keys(TRAIN_PRESETS).join(", ")}`);
}
