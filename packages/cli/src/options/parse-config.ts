import { TtError } from "@tt-rec/tensor";
import { Ajv2020, type ErrorObject, type ValidateFunction } from "ajv/dist/2020.js";
import { nearest } from "./nearest.ts";
import { configSchema, type RawSettings } from "./resolve-settings.ts";

let validate: ValidateFunction<RawSettings> | undefined;

/** Parses a config file and checks it against its schema. Throws `E_OPTION` with the place, and for an unknown key the nearest known one. */
export function parseConfig(text: string): RawSettings {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new TtError("E_OPTION", `the config is not JSON: ${(cause as Error).message}`, {}, { cause });
  }
  // Compiled at the first config: most calls of the command have none.
  validate ??= new Ajv2020({ allowUnionTypes: true, verbose: true }).compile<RawSettings>(configSchema());
  if (validate(value)) return value;
  throw new TtError("E_OPTION", `the config ${describe(value, validate.errors ?? [])}`);
}

/** The first thing that is wrong, in words. */
function describe(config: unknown, errors: readonly ErrorObject[]): string {
  const [{ instancePath, keyword, params, message, parentSchema }] = errors;
  const path = instancePath.slice(1).replaceAll("/", ".");
  const where = path === "" ? "" : ` in ${path}`;
  if (keyword === "additionalProperties") {
    const unknown = String(params.additionalProperty);
    const known = Object.keys(parentSchema?.properties as object);
    return `has the unknown key "${unknown}"${where}; the nearest known key is "${nearest(unknown, known)}"`;
  }
  if (path === "") return `is not a JSON object`;
  const value = path.split(".").reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], config);
  const choices = keyword === "enum" ? `: ${(params.allowedValues as unknown[]).map(String).join(", ")}` : "";
  return `has ${path} = ${JSON.stringify(value)}, which ${message}${choices}`;
}
