import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Bags } from "@tt-rec/tt-kernels";
import type { Sample } from "../../common/measure.ts";
import { TABLE } from "../../common/table.ts";

/** Debian's Python, whose packages have PyTorch. */
const PYTHON = "/usr/bin/python3";
const PROGRAM = join(dirname(fileURLToPath(import.meta.url)), "../../../paper/caching/embedding-bag.py");

/** PyTorch's `nn.EmbeddingBag` of the same table, in a process of its own that waits while it is not asked. */
export class TorchEmbeddingBag {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #folder: string;

  private constructor(child: ChildProcess, lines: AsyncIterator<string>, folder: string) {
    this.#child = child;
    this.#lines = lines;
    this.#folder = folder;
  }

  /** Starts it, or gives nothing where there is no PyTorch; batches are handed over in files of a folder. */
  static async start(folder: string): Promise<TorchEmbeddingBag | undefined> {
    if (!existsSync(PYTHON)) return undefined;
    const env = { ...process.env, OMP_NUM_THREADS: "1", OPENBLAS_NUM_THREADS: "1" };
    const args = [PROGRAM, String(TABLE.rows), String(TABLE.embeddingDim)];
    const child = spawn(PYTHON, args, { env, stdio: ["pipe", "pipe", "ignore"] });
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    // Without PyTorch the program ends before its first line.
    if ((await lines.next()).done === true) return undefined;
    return new TorchEmbeddingBag(child, lines, folder);
  }

  /** Hands over batches of one id a bag. */
  async load(batches: readonly Bags[]): Promise<void> {
    const file = join(this.#folder, "ids.u32");
    writeFileSync(
      file,
      Buffer.concat(batches.map(({ indices }) => new Uint8Array(indices.buffer, indices.byteOffset, indices.byteLength))),
    );
    await this.#ask(`load ${file} ${batches[0].indices.length}`);
  }

  /** Times steps, as `timed` does ours. */
  async time(budgetMs: number): Promise<Sample> {
    return JSON.parse(await this.#ask(`time ${budgetMs}`));
  }

  /** Ends the process. */
  async close(): Promise<void> {
    const ended = once(this.#child, "close");
    this.#child.stdin?.end();
    await ended;
  }

  async #ask(command: string): Promise<string> {
    this.#child.stdin?.write(`${command}\n`);
    const { done, value } = await this.#lines.next();
    if (done === true) throw new Error(`PyTorch's process ended at "${command}"`);
    return value;
  }
}
