import { setFlagsFromString } from "node:v8";

// Imported for its effect, before anything compiles WebAssembly. Node 20 has relaxed SIMD behind this flag; later
// releases have it without, and complain about a flag that they do not know.
if (process.versions.node.startsWith("20.")) setFlagsFromString("--experimental-wasm-relaxed-simd");
