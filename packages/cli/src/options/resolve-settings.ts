import { TtError } from "@tt-rec/tensor";
import { nearest } from "./nearest.ts";
import { TRAIN_OPTIONS, type TrainSettings } from "./train-options.ts";
import { TRAIN_PRESETS } from "./train-presets.ts";

/** Values as they came from flags or a config file, not yet checked. */
export type RawSettings = Readonly<Record<string, unknown>>;

/**
 * Joins the sources of settings: a flag beats the config file, which beats the preset, which beats the default.
 * Throws `E_OPTION` on an unknown preset or a value that breaks its rule.
 */
export function resolveSettings(flags: RawSettings, file: RawSettings): TrainSettings {
  const preset = presetOf(flags.preset ?? file.preset);
  const names = Object.keys(TRAIN_OPTIONS) as (keyof TrainSettings)[];
  const settings = names.map((name) => {
    const given = flags[name] ?? (Object.hasOwn(file, name) ? file[name] : undefined);
    return [name, given === undefined ? (preset[name] ?? TRAIN_OPTIONS[name].default) : TRAIN_OPTIONS[name].parse(name, given)];
  });
  return Object.fromEntries(settings) as TrainSettings;
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
      preset: { enum: [...TRAIN_PRESETS.keys()], description: "Settings to start from; every other key overrides them" },
      ...Object.fromEntries(properties),
    },
  };
}

function presetOf(name: unknown): Partial<TrainSettings> {
  if (name === undefined) return {};
  const preset = TRAIN_PRESETS.get(String(name));
  if (preset !== undefined) return preset;
  const guess = nearest(String(name), [...TRAIN_PRESETS.keys()]);
  throw new TtError("E_OPTION", `--preset = ${JSON.stringify(name)} is not known; the nearest is ${guess}`);
}
