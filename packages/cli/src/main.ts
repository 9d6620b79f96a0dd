import { constants } from "node:os";
import { setFlagsFromString } from "node:v8";
import { runCommand } from "./run-command.ts";

// Node 20 has relaxed SIMD only behind this flag, which must stand before the kernels are compiled; later releases have it
// without, and complain about a flag that they do not know.
if (process.versions.node.startsWith("20.")) setFlagsFromString("--experimental-wasm-relaxed-simd");

// A reader that leaves, such as `head`, ends a command as SIGPIPE would, which Node ignores; a training saves first, as on SIGTERM.
process.stdout.once("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.stdout.on("error", () => undefined);
  if (!process.emit("SIGTERM", "SIGTERM")) process.exit(128 + constants.signals.SIGPIPE);
});

process.exitCode = await runCommand(process.argv.slice(2), process);
