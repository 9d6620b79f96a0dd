/** Leaves a runtime open, its worker spinning or asleep: the process must end by itself. Spawned by threads.test.ts. */
import { Runtime } from "@tt-rec/tensor";
import { threadKernels } from "./thread-kernels.ts";

const runtime = await Runtime.create({ threads: 2 });
const add = runtime.host.load(threadKernels).get("add") as number;
await runtime.host.call(async (workspace) => {
  const args = workspace.reserve(4000);
  runtime.host.words.fill(0, args / 4, args / 4 + 1000);
  await runtime.host.run([{ kernel: add, args, units: 1000, grain: 10 }], 1e9);
});
process.stdout.write("done");
