import { runCpu } from "./suites.mjs";

/** Runs suites in a Worker, where threads may wait for each other; calls `tell` with each line they report. */
function inWorker(request, tell) {
  const worker = new Worker(new URL("./worker.mjs", import.meta.url), { type: "module" });
  return new Promise((resolve, reject) => {
    worker.onerror = (event) => reject(new Error(event.message ?? "the worker could not be loaded"));
    worker.onmessage = ({ data }) => {
      if (data.kind === "line") tell(data.line);
      else if (data.kind === "done") resolve(data.result);
      else reject(new Error(data.message));
    };
    worker.postMessage(request);
  }).finally(() => worker.terminate());
}

/** What the lane's script calls: see scripts/test-browser.mjs. */
globalThis.lane = {
  isolated: globalThis.crossOriginIsolated,
  worker: (request) => inWorker(request, (line) => globalThis.tell(line)),
  page: (request) => runCpu(request, (line) => globalThis.tell(line)),
};
