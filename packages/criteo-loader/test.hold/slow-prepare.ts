// A child process of node.test.ts: prepares argv[2] into argv[3] slowly, and tells its pass after each chunk.
import { nodeDirectory } from "@tt-rec/tensor/node";
import { prepare } from "../src/index.ts";
import { logFile } from "../src/node.ts";

const [, , path, target] = process.argv;
const log = logFile(path);
let pass = 0;
await prepare(
  [
    {
      name: "log",
      async *chunks() {
        pass++;
        let chunk = 0;
        for await (const bytes of log.chunks()) {
          for (let start = 0; start < bytes.length; start += 20_000) {
            yield bytes.subarray(start, start + 20_000);
            process.send?.(`${pass}.${chunk++}`);
            await new Promise((resolve) => setTimeout(resolve, 3));
          }
        }
      },
    },
  ],
  nodeDirectory(target),
  { rowsPerBatch: 64, replace: true },
);
process.send?.("done");
