import { type FileHandle, mkdir, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { TtError } from "@tt-rec/tensor";
import { nodeDirectory } from "@tt-rec/tensor/node";
import type { Result } from "./result.ts";

const NAME = "results.jsonl";

/** The finished trainings of a comparison, in a folder that grows by a line with each; a later call goes on where it ended. */
export class ResultsFile {
  readonly #folder: string;
  readonly #handle: FileHandle;
  readonly #results: Result[];

  private constructor(folder: string, handle: FileHandle, results: Result[]) {
    this.#folder = folder;
    this.#handle = handle;
    this.#results = results;
  }

  /** Opens the folder, and makes it if needed. A line that a crash cut short is dropped. Throws `E_IO`, and `E_CORRUPT` for any other bad line. */
  static async open(folder: string): Promise<ResultsFile> {
    const path = join(folder, NAME);
    try {
      await mkdir(folder, { recursive: true });
      const handle = await open(path, "a");
      const text = await readFile(path, "utf8");
      const end = text.lastIndexOf("\n") + 1;
      if (end < text.length) await handle.truncate(Buffer.byteLength(text.slice(0, end)));
      return new ResultsFile(folder, handle, text.slice(0, end).split("\n").slice(0, -1).map(parseLine));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).errno === undefined) throw error;
      throw new TtError("E_IO", `${path}: ${(error as Error).message}`, { file: path }, { cause: error });
    }
  }

  /** All finished trainings. */
  get results(): readonly Result[] {
    return this.#results;
  }

  /** Keeps a finished training; test logits are written before the line that names them. */
  async add(result: Result, scores?: Float32Array): Promise<Result> {
    const name = `${result.key}.f32`;
    if (scores !== undefined) await nodeDirectory(join(this.#folder, "scores")).commit(name, new Uint8Array(scores.buffer));
    const kept = scores === undefined ? result : { ...result, scores: name };
    await this.#handle.appendFile(`${JSON.stringify(kept)}\n`);
    await this.#handle.sync();
    this.#results.push(kept);
    return kept;
  }

  /** The test logits of a run. */
  async scoresOf({ scores }: Result): Promise<Float32Array> {
    if (scores === undefined) throw new TtError("E_NOT_FOUND", "a trial has no test logits");
    const file = await nodeDirectory(join(this.#folder, "scores")).read(scores);
    return new Float32Array((await file.slice(0, file.byteLength)).buffer);
  }

  /** Closes the file. */
  close(): Promise<void> {
    return this.#handle.close();
  }
}

function parseLine(line: string, index: number): Result {
  try {
    return JSON.parse(line) as Result;
  } catch (cause) {
    throw new TtError("E_CORRUPT", `${NAME}, line ${index + 1} is not JSON`, { file: NAME, line: index + 1 }, { cause });
  }
}
