import { TtError } from "@tt-rec/tensor";

/** Largest number of rows of a table: row ids are uint32, and the number itself must fit as well. */
export const maxNumEmbeddings: number = 2 ** 32 - 1;

/** Throws E_OPTION unless the value is a positive integer. */
export function requirePositive(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1) throw new TtError("E_OPTION", `${name} = ${value} is not a positive integer`);
}
