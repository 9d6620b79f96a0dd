import type { WasmMemory, WasmModule } from "./web-assembly.ts";

/** What a worker is told; messages are served in order, between calls of kernels. */
export type ThreadMessage =
  | { readonly kind: "start"; readonly control: SharedArrayBuffer; readonly spinMs: number }
  | { readonly kind: "load"; readonly first: number; readonly module: WasmModule; readonly memory: WasmMemory }
  | { readonly kind: "drop"; readonly first: number; readonly count: number }
  /** Take part in calls until `LEAVE` is no longer `generation`. */
  | { readonly kind: "work"; readonly generation: number };

/** What a worker says. */
export type ThreadReply = { readonly kind: "ready" } | { readonly kind: "trap"; readonly message: string };

/** A thread of Node or of a browser, reduced to what a crew needs. */
export interface Thread {
  post(message: ThreadMessage): void;
  /** Whether the thread keeps the process alive. */
  hold(alive: boolean): void;
  end(): Promise<unknown>;
}

/** What happens to a thread. */
export interface ThreadEvents {
  onReply(reply: ThreadReply): void;
  /** The thread ended, asked or not. */
  onEnd(reason: string): void;
}

interface NodeWorker {
  postMessage(message: ThreadMessage): void;
  ref(): void;
  unref(): void;
  terminate(): Promise<number>;
  on(event: "message", listener: (reply: ThreadReply) => void): void;
  on(event: "error", listener: (error: Error) => void): void;
  on(event: "exit", listener: (code: number) => void): void;
}

interface NodeThreads {
  readonly Worker: new (url: URL, options: { readonly execArgv: readonly string[] }) => NodeWorker;
  readonly parentPort: {
    on(event: "message", listener: (message: ThreadMessage) => void): void;
    postMessage(reply: ThreadReply): void;
  } | null;
}

interface BrowserScope {
  readonly Worker?: new (
    url: URL,
    options: { readonly type: "module" },
  ) => {
    postMessage(message: ThreadMessage): void;
    terminate(): void;
    onmessage: ((event: { readonly data: ThreadReply }) => void) | null;
    onerror: ((event: { readonly message?: string }) => void) | null;
  };
  readonly document?: object;
  readonly crossOriginIsolated?: boolean;
}

/** Threads of Node, without an import that a bundler for browsers would stumble over. */
export const nodeThreads: NodeThreads | undefined = (
  globalThis as unknown as { readonly process?: { getBuiltinModule?(name: string): unknown } }
).process?.getBuiltinModule?.("node:worker_threads") as NodeThreads | undefined;

/** True where a thread can be started and waited for; the main thread of a page may not wait. */
export function canStartThreads(): boolean {
  if (nodeThreads !== undefined) return true;
  const { Worker, document, crossOriginIsolated } = globalThis as unknown as BrowserScope;
  return Worker !== undefined && document === undefined && crossOriginIsolated === true;
}

/** Starts a thread that runs `worker.ts`. */
export function startThread(events: ThreadEvents): Thread {
  return nodeThreads === undefined ? startBrowserThread(events) : startNodeThread(nodeThreads, events);
}

function startNodeThread({ Worker }: NodeThreads, { onReply, onEnd }: ThreadEvents): Thread {
  // Flags such as --test would make the worker run the program's own entry.
  const worker = new Worker(new URL("./worker.js", import.meta.url), { execArgv: [] });
  worker.unref();
  worker.on("message", onReply);
  worker.on("error", (error) => onEnd(error.message));
  worker.on("exit", (code) => onEnd(`exit code ${code}`));
  return {
    post: (message) => worker.postMessage(message),
    hold: (alive) => (alive ? worker.ref() : worker.unref()),
    end: () => worker.terminate(),
  };
}

function startBrowserThread({ onReply, onEnd }: ThreadEvents): Thread {
  const { Worker } = globalThis as unknown as Required<BrowserScope>;
  const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  worker.onmessage = ({ data }) => onReply(data);
  worker.onerror = ({ message }) => onEnd(message ?? "an error without a message");
  return { post: (message) => worker.postMessage(message), hold: () => undefined, end: async () => worker.terminate() };
}
