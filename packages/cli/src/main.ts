import { setFlagsFromString } from "node:v8";
import { runCommand } from "./run-command.ts";

// Node 20 has relaxed SIMD only behind this flag, which must stand before the kernels are compiled; later releases have it
// without, and complain about a flag that they do not know.
if (process.versions.node.startsWith("20.")) setFlagsFromString("--experimental-wasm-relaxed-simd");

process.exitCode = await runCommand(process.argv.slice(2), process);
