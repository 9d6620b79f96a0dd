// A child process of node.test.ts: prepares argv[4…] into argv[2] and kills itself at its argv[3]-th step: a block that was
// read, a column that was learned, a file that was written.
import { logFile, prepareFiles } from "../src/node.ts";

const [, , target, step, ...paths] = process.argv;
let steps = 0;
await prepareFiles(
  paths.map((path) => logFile(path)),
  target,
  {
    rowsPerBatch: 64,
    minFrequency: 2,
    replace: true,
    threads: 2,
    onProgress() {
      if (++steps === Number(step)) process.kill(process.pid, "SIGKILL");
    },
  },
);
