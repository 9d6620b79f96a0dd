import { join } from "node:path";
import { type Directory, isTtError, TtError } from "@tt-rec/tensor";
import { nodeDirectory } from "@tt-rec/tensor/node";

/** Opens what a folder holds. An error that names a file of the folder names the folder too: a library knows no path. */
export async function openFolder<T>(folder: string, open: (directory: Directory) => Promise<T>): Promise<T> {
  try {
    return await open(nodeDirectory(folder));
  } catch (error) {
    if (!isTtError(error) || error.where.file === undefined || error.where.file.startsWith(folder)) throw error;
    throw new TtError(error.code, error.message, { ...error.where, file: join(folder, error.where.file) }, { cause: error });
  }
}
