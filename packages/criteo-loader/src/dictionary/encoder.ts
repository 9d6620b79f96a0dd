import { type Directory, TtError } from "@tt-rec/tensor";
import { readManifest } from "../manifest/read-manifest.ts";
import { loadDictionaries } from "./dictionaries-file.ts";
import { Dictionary } from "./dictionary.ts";

/** Turns raw ids of new data into the indices that a data set's model was trained with. */
export interface Encoder {
  /** Names of the id columns, in the order of the tables. */
  readonly tableNames: readonly string[];
  /**
   * Index of a raw unsigned 32-bit id in table `column`, counted from 0; index 0 if training rows did not have it.
   * A missing id has the raw value 0. Throws `E_INDEX` if there is no such table or the value is no uint32.
   */
  encode(column: number, rawValue: number): number;
}

/**
 * Loads the dictionaries of a data set as an encoder. Throws `E_NOT_FOUND`, `E_VERSION` or `E_CORRUPT`, as `openDataset` does.
 */
export async function openEncoder(directory: Directory): Promise<Encoder> {
  const manifest = await readManifest(directory);
  const tableNames = manifest.schema.ids;
  const dictionaries = (await loadDictionaries(directory, manifest)).map(({ values }, index) => {
    const dictionary = Dictionary.from(values);
    if (dictionary === undefined) {
      const { name } = manifest.dictionaries;
      throw new TtError("E_CORRUPT", `${name} holds a value of column ${tableNames[index]} twice`, { file: name });
    }
    return dictionary;
  });
  const range = manifest.options.maxIndexRange ?? 2 ** 32;
  return {
    tableNames,
    encode(column, rawValue) {
      const dictionary = dictionaries[column];
      if (dictionary === undefined) {
        throw new TtError("E_INDEX", `table ${column} was asked for, there are ${dictionaries.length}`);
      }
      if (rawValue >>> 0 !== rawValue) throw new TtError("E_INDEX", `the raw id ${rawValue} is not an unsigned 32-bit number`);
      return dictionary.index(rawValue % range);
    },
  };
}
