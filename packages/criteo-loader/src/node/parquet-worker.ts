/** The program of a worker thread that decodes a Parquet file: gives a block of rows each time it is asked. */
import { parentPort, workerData } from "node:worker_threads";
import { isTtError } from "@tt-rec/tensor";
import type { RowBlock } from "../log/row-block.ts";
import { parquetSource } from "../table/parquet-source.ts";
import { fileBytes, type ParquetReply, type ParquetTask } from "./parquet-file.ts";

const { path, schema, logSchema, state } = workerData as ParquetTask;
const blocks = parquetSource(path, () => fileBytes(path), schema)
  .blocks(logSchema, state)
  [Symbol.asyncIterator]();

parentPort?.on("message", async () => {
  try {
    const { value, done } = await blocks.next();
    if (done) reply({ kind: "end", state });
    else reply({ kind: "block", block: copied(value), state });
  } catch (error) {
    const known = isTtError(error) ? { code: error.code, where: error.where } : {};
    reply({ kind: "failed", error: error instanceof Error ? error : new Error(String(error)), ...known });
  }
});

function reply(message: ParquetReply): void {
  parentPort?.postMessage(message);
}

/** Views would be sent with all of the buffers behind them. */
function copied({ rows, labels, dense, ids }: RowBlock): RowBlock {
  return {
    rows,
    labels: labels.slice(),
    dense: dense.slice(),
    ids: ids.map(({ words, offsets }) => ({ words: words.slice(), ...(offsets && { offsets: offsets.slice() }) })),
  };
}
