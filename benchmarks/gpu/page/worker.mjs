import { measureGpu } from "../../dist/gpu/rows.js";

globalThis.onmessage = async ({ data: options }) => {
  const tell = (line) => globalThis.postMessage({ kind: "line", line });
  try {
    for await (const result of measureGpu(options, tell)) globalThis.postMessage({ kind: "result", result });
    globalThis.postMessage({ kind: "done" });
  } catch (error) {
    globalThis.postMessage({ kind: "done", message: String(error?.stack ?? error) });
  }
};
