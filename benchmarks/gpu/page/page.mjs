import { gpuTable } from "../../dist/gpu/table.js";

const [state, table] = [document.querySelector("#state"), document.querySelector("#table")];
const results = [];

/** Hands something to the program that serves the page. */
function post(path, content) {
  return fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(content) });
}

const options = await (await fetch("/options")).json();
const worker = new Worker(new URL("./worker.mjs", import.meta.url), { type: "module" });
worker.onmessage = async ({ data }) => {
  if (data.kind === "line") {
    state.textContent = data.line;
    await post("/line", data.line);
  } else if (data.kind === "result") {
    results.push(data.result);
    table.textContent = gpuTable(results);
    await post("/result", data.result);
  } else {
    state.textContent = data.message ?? "done: you can close this page";
    await post("/done", { message: data.message, agent: navigator.userAgent });
  }
};
worker.onerror = (event) => post("/done", { message: event.message ?? "the worker could not be loaded" });
worker.postMessage(options);
