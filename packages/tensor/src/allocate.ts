import { TtError } from "./errors.ts";

/** Allocates zeroed bytes. Throws `E_MEMORY` if they are not to be had. */
export function allocate(byteLength: number): ArrayBuffer {
  try {
    return new ArrayBuffer(byteLength);
  } catch (cause) {
    throw new TtError("E_MEMORY", `${byteLength} bytes for a tensor are not to be had`, {}, { cause });
  }
}
