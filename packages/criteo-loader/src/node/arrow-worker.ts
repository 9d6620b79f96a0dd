/** The program of the thread that parses foreign Arrow files. */
import { parentPort } from "node:worker_threads";
import { foreignColumns } from "../arrow/foreign-columns.ts";

parentPort?.on("message", (bytes: Uint8Array) => {
  try {
    parentPort?.postMessage({ table: foreignColumns(bytes) });
  } catch (error) {
    parentPort?.postMessage({ reason: error instanceof Error ? error.message : String(error) });
  }
});
