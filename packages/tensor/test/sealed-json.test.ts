import { memoryDirectory, readSealedJson, type SealedFormat, sealJson } from "@tt-rec/tensor";
import { rejectsCode } from "@tt-rec/testing";
import test, { type ExecutionContext } from "ava";

const FORMAT: SealedFormat = { file: "thing.json", format: "thing", version: 3 };
const CONTENT = { name: "é", list: [1, 2.5, 1e-8], inner: { flag: true, none: null } };

async function refused(t: ExecutionContext, text: string | Uint8Array, code: string, message?: RegExp): Promise<void> {
  const directory = memoryDirectory();
  await directory.commit(FORMAT.file, typeof text === "string" ? new TextEncoder().encode(text) : text);
  await rejectsCode(t, code, readSealedJson(directory, FORMAT), message);
}

test("what was sealed is read back without format, version and checksum", async (t) => {
  const directory = memoryDirectory();
  await directory.commit(FORMAT.file, await sealJson(FORMAT, CONTENT));
  t.deepEqual(await readSealedJson(directory, FORMAT), CONTENT);
  const text = new TextDecoder().decode(await sealJson(FORMAT, CONTENT));
  t.deepEqual(Object.keys(JSON.parse(text) as object), ["format", "version", "name", "list", "inner", "sha256"]);
});

test("every flipped bit and every truncation is refused", async (t) => {
  const bytes = await sealJson(FORMAT, CONTENT);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const damaged = bytes.slice();
    damaged[bit >> 3] ^= 1 << (bit & 7);
    const directory = memoryDirectory();
    await directory.commit(FORMAT.file, damaged);
    const error = await t.throwsAsync(readSealedJson(directory, FORMAT));
    t.true(["E_CORRUPT", "E_VERSION"].includes((error as Error & { code: string }).code), `bit ${bit}: ${error}`);
  }
  for (let length = 0; length < bytes.length; length++) await refused(t, bytes.subarray(0, length), "E_CORRUPT");
});

test("changes that parsing would hide are refused, and so is what is no object", async (t) => {
  const text = new TextDecoder().decode(await sealJson(FORMAT, CONTENT));
  const changed = [
    `${text}\n`,
    `\uFEFF${text}`,
    text.replace("1e-8", "1E-8"),
    text.replace('"flag": true', '"flag": false, "flag": true'),
    JSON.stringify(JSON.parse(text)),
  ];
  for (const other of changed) {
    t.not(other, text);
    await refused(t, other, "E_CORRUPT");
  }
  for (const other of ["", "null", "[]", "7", '"x"', "{}"]) await refused(t, other, "E_CORRUPT");
});

test("another version is E_VERSION with both numbers, another format E_CORRUPT, no file E_NOT_FOUND", async (t) => {
  await refused(t, await sealNumbered(4), "E_VERSION", /thing\.json has version 4; this release reads version 3/);
  const other = new TextDecoder().decode(await sealJson({ ...FORMAT, format: "other" }, CONTENT));
  await refused(t, other, "E_CORRUPT", /format is "other", not "thing"/);
  await rejectsCode(t, "E_NOT_FOUND", readSealedJson(memoryDirectory(), FORMAT), /thing\.json/);
});

function sealNumbered(version: number): Promise<Uint8Array> {
  return sealJson({ ...FORMAT, version }, CONTENT);
}
