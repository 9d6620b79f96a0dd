import { runCpu, runGpu } from "./suites.mjs";

globalThis.onmessage = async ({ data: request }) => {
  const tell = (line) => globalThis.postMessage({ kind: "line", line });
  try {
    const result = request.suite === "gpu" ? await runGpu(request, tell) : await runCpu(request, tell);
    globalThis.postMessage({ kind: "done", result });
  } catch (error) {
    globalThis.postMessage({ kind: "failed", message: String(error?.stack ?? error) });
  }
};
