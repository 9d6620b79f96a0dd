/**
 * A program that is killed by the tests of `nodeDirectory`: it commits one file over and over, all of its bytes equal
 * in one version and different in the next. With a third argument it stops for ever in the middle of that commit.
 */
import { setTimeout } from "node:timers/promises";
import { nodeDirectory } from "@tt-rec/tensor/node";

const [folder, name, stopAt] = process.argv.slice(2);

async function* content(version: number): AsyncGenerator<Uint8Array> {
  for (let piece = 0; piece < 16; piece++) {
    yield new Uint8Array(1 << 16).fill(version);
    if (version === Number(stopAt) && piece === 7) {
      process.stdout.write("stopped");
      await setTimeout(1e6);
    }
  }
}

for (let version = 1; ; version = (version % 200) + 1) {
  await nodeDirectory(folder).commit(name, content(version));
  if (version === 1) process.stdout.write("started");
}
