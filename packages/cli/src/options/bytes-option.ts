import { type OptionSpec, refuse } from "./option-spec.ts";

/** A number of bytes. */
export type BytesSetting = number;

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
};

/** A number of bytes, plain or with a decimal or binary unit: 20MB, 1.5 GiB. 0 as a default means that none is given. */
export function bytesOption(fallback: number, description: string): OptionSpec<BytesSetting> {
  return {
    default: fallback,
    description,
    placeholder: "bytes",
    schema: {
      anyOf: [
        { type: "integer", minimum: 0 },
        { type: "string", pattern: "^[0-9.]+ ?([kKMG]i?B|B)?$" },
      ],
    },
    parse(name, value) {
      const [, digits, unit] = /^(\d+(?:\.\d+)?|\.\d+) ?([A-Za-z]*)$/.exec(String(value)) ?? [];
      const bytes = Math.floor(Number(digits) * (Object.hasOwn(UNITS, unit ?? "?") ? UNITS[unit] : Number.NaN));
      if (Number.isSafeInteger(bytes) && bytes >= 0) return bytes;
      throw refuse(name, value, "a number of bytes like 500kB or 20MB");
    },
  };
}
