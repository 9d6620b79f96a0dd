import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createRng, type Directory, memoryDirectory, readBytes, sha256 } from "@tt-rec/tensor";
import { nodeDirectory } from "@tt-rec/tensor/node";
import { rejectsCode } from "@tt-rec/testing";
import test, { type ExecutionContext } from "ava";

const KILLS = process.env.TT_REC_LONG ? 200 : 20;
const VERSION_BYTES = 1 << 20;

/** A folder that is gone when the test ends. */
async function folderOf(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "tt-rec-directory-"));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

async function* pieces(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield ascii(text);
}

async function* failing(error: Error): AsyncGenerator<Uint8Array> {
  yield ascii("half of the ");
  throw error;
}

async function textOf(directory: Directory, name: string): Promise<string> {
  const file = await directory.read(name);
  return new TextDecoder().decode(await file.slice(0, file.byteLength));
}

test("sha256 gives the digests of the standard", async (t) => {
  t.is(await sha256(ascii("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  t.is(await sha256(new Uint8Array(0)), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
});

const DIRECTORIES: [string, (t: ExecutionContext) => Promise<Directory>][] = [
  ["memoryDirectory", async () => memoryDirectory()],
  ["nodeDirectory", async (t) => nodeDirectory(join(await folderOf(t), "made", "at", "commit"))],
];

for (const [kind, make] of DIRECTORIES) {
  test(`${kind}: what is committed, at once or in pieces, is listed, read and digested`, async (t) => {
    const directory = await make(t);
    t.deepEqual(await directory.list(), []);
    const whole = await directory.commit("b.bin", ascii("abc"));
    const parts = await directory.commit("a.bin", pieces("a", "", "bc"));
    const digest = await sha256(ascii("abc"));
    t.deepEqual(whole, { name: "b.bin", byteLength: 3, sha256: digest });
    t.deepEqual(parts, { name: "a.bin", byteLength: 3, sha256: digest });
    t.deepEqual(await directory.list(), ["a.bin", "b.bin"]);
    t.is(await directory.digest("a.bin"), digest);
    t.is(await textOf(directory, "a.bin"), "abc");
    const file = await directory.read("b.bin");
    t.deepEqual(await file.slice(1, 3), ascii("bc"));
    t.deepEqual(await file.slice(2, 2), new Uint8Array(0));
    await rejectsCode(t, "E_CORRUPT", file.slice(1, 4));
  });

  test(`${kind}: a commit replaces a file, and an empty file is a file`, async (t) => {
    const directory = await make(t);
    await directory.commit("a", ascii("old and long"));
    await directory.commit("a", ascii("new"));
    t.is(await textOf(directory, "a"), "new");
    t.is((await directory.commit("a", pieces())).byteLength, 0);
    t.is((await directory.read("a")).byteLength, 0);
    t.is(await directory.digest("a"), await sha256(new Uint8Array(0)));
  });

  test(`${kind}: later changes of the committed bytes do not reach the file`, async (t) => {
    const directory = await make(t);
    const bytes = ascii("abc");
    await directory.commit("a", bytes);
    bytes[0] = 0;
    (await (await directory.read("a")).slice(0, 3))[1] = 0;
    t.is(await textOf(directory, "a"), "abc");
  });

  test(`${kind}: content that fails leaves the old file, and hands on its error`, async (t) => {
    const directory = await make(t);
    await directory.commit("a", ascii("old"));
    const failure = new Error("no more rows");
    t.is(await t.throwsAsync(directory.commit("a", failing(failure))), failure);
    t.is(await t.throwsAsync(directory.commit("new", failing(failure))), failure);
    t.is(await textOf(directory, "a"), "old");
    t.deepEqual(await directory.list(), ["a"]);
  });

  test(`${kind}: a file that is not there is E_NOT_FOUND, and may be removed`, async (t) => {
    const directory = await make(t);
    for (const prepare of [async () => undefined, () => directory.commit("a", ascii("abc"))]) {
      await prepare();
      await rejectsCode(t, "E_NOT_FOUND", directory.read("absent"), /absent/);
      await rejectsCode(t, "E_NOT_FOUND", directory.digest("absent"), /absent/);
      await directory.remove("absent");
    }
    await directory.remove("a");
    t.deepEqual(await directory.list(), []);
    await rejectsCode(t, "E_NOT_FOUND", directory.read("a"));
  });
}

test("readBytes reads a copy, and not beyond the end", async (t) => {
  const file = readBytes(ascii("abc"));
  t.is(file.byteLength, 3);
  (await file.slice(0, 3)).fill(0);
  t.deepEqual(await file.slice(0, 2), ascii("ab"));
  await rejectsCode(t, "E_CORRUPT", file.slice(0, 4), /up to 4 .* 3 bytes/);
});

test("a failed commit leaves nothing in the folder", async (t) => {
  const folder = await folderOf(t);
  await t.throwsAsync(nodeDirectory(folder).commit("a", failing(new Error("stop"))));
  t.deepEqual(await readdir(folder), []);
});

test("a name that is not a plain file name is refused, and nothing is written", async (t) => {
  const folder = await folderOf(t);
  const inner = join(folder, "inner");
  const directory = nodeDirectory(inner);
  for (const name of ["", ".", "..", "../x", "a/b", "/etc/x", "a\\b", "..\\x", "a/", "a\0b", "a.partial"]) {
    await rejectsCode(t, "E_IO", directory.commit(name, ascii("x")));
    await rejectsCode(t, "E_IO", directory.read(name));
    await rejectsCode(t, "E_IO", directory.digest(name));
    await rejectsCode(t, "E_IO", directory.remove(name));
  }
  t.deepEqual(await readdir(folder), []);
  for (const name of ["..x", "ä ö", "__proto__", "a.partial.b"]) await directory.commit(name, ascii(name));
  t.is((await directory.list()).length, 4);
});

test("errors of the file system are E_IO with the path", async (t) => {
  const folder = await folderOf(t);
  const directory = nodeDirectory(folder);
  await mkdir(join(folder, "folder"));
  await writeFile(join(folder, "file"), "x");
  t.deepEqual(await directory.list(), ["file"], "folders are no files");
  await rejectsCode(t, "E_IO", directory.commit("folder", ascii("x")), /folder/);
  await rejectsCode(t, "E_IO", directory.digest("folder"), /folder/);
  await rejectsCode(t, "E_IO", directory.remove("folder"), /folder/);
  await rejectsCode(t, "E_IO", (await directory.read("folder")).slice(0, 1), /folder/);
  await rejectsCode(t, "E_IO", directory.commit("x".repeat(300), ascii("x")));
  const below = nodeDirectory(join(folder, "file", "below"));
  await rejectsCode(t, "E_IO", below.commit("a", ascii("x")));
  await rejectsCode(t, "E_IO", below.list());
  t.deepEqual((await readdir(folder)).sort(), ["file", "folder"]);
});

test("a commit replaces a link, and leaves what it points to", async (t) => {
  const folder = await folderOf(t);
  const outside = join(await folderOf(t), "outside");
  await writeFile(outside, "untouched");
  await symlink(outside, join(folder, "a"));
  await nodeDirectory(folder).commit("a", ascii("new"));
  t.is(await readFile(outside, "utf8"), "untouched");
  t.is(await readFile(join(folder, "a"), "utf8"), "new");
});

test("a file on disk is read at any place, and not beyond its end", async (t) => {
  const folder = await folderOf(t);
  await writeFile(join(folder, "file"), "abcdef");
  const file = await nodeDirectory(folder).read("file");
  t.is(file.byteLength, 6);
  const [tail, head] = await Promise.all([file.slice(3, 6), file.slice(0, 2)]);
  t.deepEqual([tail, head], [ascii("def"), ascii("ab")]);
  await rejectsCode(t, "E_CORRUPT", file.slice(4, 9), /ends at byte 6, 9 bytes were expected/);
});

/** Starts the program, kills it, and returns when it is dead. */
async function killOnce(folder: string, stopAt: number | undefined, delayMs: number): Promise<void> {
  const program = fileURLToPath(new URL("./commit-forever.js", import.meta.url));
  const child = spawn(process.execPath, [program, folder, "model.bin", ...(stopAt === undefined ? [] : [String(stopAt)])], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const dead = once(child, "exit");
  let said = "";
  for await (const text of child.stdout) {
    said += text;
    if (stopAt === undefined ? said.includes("started") : said.includes("stopped")) break;
  }
  await setTimeout(delayMs);
  child.kill("SIGKILL");
  await dead;
}

test(`${KILLS} kills in the middle of a commit leave a whole file`, async (t) => {
  t.timeout(KILLS * 5000);
  const folder = await folderOf(t);
  const directory = nodeDirectory(folder);
  const rng = createRng(31);
  let leftovers = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    // Every second kill comes at a random moment; the others while version 2 or 3 is half written.
    const stopAt = kill % 2 === 0 ? undefined : 2 + ((kill >> 1) % 2);
    await killOnce(folder, stopAt, stopAt === undefined ? 30 * rng.uniform() : 0);
    const bytes = await readFile(join(folder, "model.bin"));
    t.is(bytes.length, VERSION_BYTES);
    t.true(
      bytes.every((byte) => byte === bytes[0]),
      "all bytes are of one version",
    );
    if (stopAt !== undefined) t.is(bytes[0], stopAt - 1, "the version before the one that was being written");
    if ((await readdir(folder)).length > 1) leftovers++;
    t.deepEqual(await directory.list(), ["model.bin"]);
  }
  t.true(leftovers >= Math.floor(KILLS / 2), "the kills did hit commits");
  await directory.commit("model.bin", ascii("the next run"));
  t.deepEqual(await readdir(folder), ["model.bin"], "the next commit takes the leftover's place");
  t.log(`${leftovers} of ${KILLS} kills left an unfinished file aside`);
});
