// A child process of node.test.ts: prepares argv[3…] into argv[2] and tells each step that is done.
import { logFile, prepareFiles } from "../src/node.ts";

const [, , target, ...paths] = process.argv;
await prepareFiles(
  paths.map((path) => logFile(path)),
  target,
  {
    rowsPerBatch: 64,
    minFrequency: 2,
    replace: true,
    threads: 2,
    onProgress: ({ pass }) => process.send?.(pass),
  },
);
process.send?.("done");
