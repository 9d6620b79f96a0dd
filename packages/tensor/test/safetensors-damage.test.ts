import { createRng, isTtError, type Rng, readBytes, readSafetensors, type Safetensors } from "@tt-rec/tensor";
import test from "ava";
import { buildFile, entry } from "./safetensors-files.ts";

const MUTANTS = process.env.TT_REC_LONG ? 50_000 : 2000;

// The names a and c are one bit apart, so that a flip can make a duplicate.
const HEADER = `{"__metadata__":{"k":"v"},"a":${entry("F32", [2, 3], 0, 24)},"c":${entry("U8", [5], 24, 29)},"e":${entry("U32", [0, 7], 29, 29)}} `;
const FILE = buildFile(HEADER, 29);
const HEADER_END = 8 + HEADER.length;

/** The file, or undefined if it is refused as a corrupt file should be; any other end fails the test. */
async function readOrRefuse(bytes: Uint8Array): Promise<Safetensors | undefined> {
  try {
    return await readSafetensors(readBytes(bytes));
  } catch (error) {
    if (isTtError(error) && error.code === "E_CORRUPT") return undefined;
    throw error;
  }
}

/** A second opinion on a file whose header is at most one bit from `HEADER`, by other means than the reader's. */
function obeysTheRules(bytes: Uint8Array): boolean {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const headerBytes = buffer.readBigUInt64LE(0);
  if (headerBytes > bytes.length - 8) return false;
  const bodyStart = 8 + Number(headerBytes);
  const text = buffer.toString("utf8", 8, bodyStart);
  if (!text.startsWith("{") || !Buffer.from(text).equals(buffer.subarray(8, bodyStart))) return false;
  let header: Record<string, Record<string, unknown>>;
  try {
    header = JSON.parse(text);
  } catch {
    return false;
  }
  const objects = Object.entries(header);
  // A name that occurs twice leaves fewer objects than the text has.
  if (objects.length !== text.split(":{").length - 1) return false;
  const claimed = new Array<number>(bytes.length - bodyStart).fill(0);
  for (const [name, fields] of objects) {
    if (name === "__metadata__") {
      if (!Object.values(fields).every((value) => typeof value === "string")) return false;
      continue;
    }
    if (Object.keys(fields).sort().join() !== "data_offsets,dtype,shape") return false;
    const numbers = [fields.shape, fields.data_offsets].map((list) => JSON.stringify(list));
    if (!numbers.every((list) => /^\[(\d+(,\d+)*)?\]$/.test(list))) return false;
    const width = { F32: 4, F64: 8, U8: 1, U32: 4 }[fields.dtype as string];
    const [start, end] = fields.data_offsets as number[];
    if (width === undefined || (fields.shape as number[]).reduce((a, b) => a * b, width) !== end - start) return false;
    // An empty tensor lies at an edge, not inside another tensor or behind the file.
    if (start === end && start > claimed.length) return false;
    for (let i = start; i < end; i++) if (i >= claimed.length || ++claimed[i] > 1) return false;
  }
  return claimed.every((count) => count === 1);
}

test("every single-bit flip of the header is refused, or gives another file that keeps every rule", async (t) => {
  t.true(obeysTheRules(FILE));
  const contents = (file: Safetensors): unknown[] =>
    [...file.tensors.values()].map(({ dtype, shape, data }) => (data.length === 0 ? dtype : { dtype, shape, data }));
  const original = contents(await readSafetensors(readBytes(FILE)));
  let accepted = 0;
  for (let bit = 0; bit < 8 * HEADER_END; bit++) {
    const flipped = FILE.slice();
    flipped[bit >> 3] ^= 1 << (bit & 7);
    const file = await readOrRefuse(flipped);
    if ((file !== undefined) !== obeysTheRules(flipped)) t.fail(`bit ${bit}: reader and rules disagree`);
    if (file === undefined) continue;
    // No rule of the format sees a letter of a name or a note, or an extent of an empty tensor: a digest of the file does.
    t.deepEqual(contents(file), original);
    accepted++;
  }
  t.log(`${8 * HEADER_END - accepted} flips refused; the ${accepted} others change a name, a note or the empty tensor's shape`);
});

test("every truncation is refused", async (t) => {
  for (let length = 0; length < FILE.length; length++) {
    if ((await readOrRefuse(FILE.slice(0, length))) !== undefined) t.fail(`a file of ${length} bytes was read`);
  }
  t.pass();
});

test("every appended byte is refused", async (t) => {
  for (const byte of [0, 0x20, 0x7d]) t.is(await readOrRefuse(Uint8Array.of(...FILE, byte)), undefined);
});

const FRAGMENTS = [
  '"__proto__"',
  '"__metadata__"',
  '"dtype"',
  '"F64"',
  "[[[[",
  "]]]]",
  "{}",
  "null",
  "-1",
  "1e308",
  "9007199254740993",
  "18446744073709551615",
  '"\\ud800"',
  '"\\',
  ",",
  ":",
  "\u0000",
  "é",
  "[".repeat(5000),
];

/** Damages a header in one to four places. */
function mutate(rng: Rng): Uint8Array {
  let text = Buffer.from(HEADER);
  const places = 1 + (rng.uint32() % 4);
  for (let i = 0; i < places; i++) {
    const [at, length] = [rng.uint32() % (text.length + 1), rng.uint32() % 9];
    const fragment = Buffer.from(FRAGMENTS[rng.uint32() % FRAGMENTS.length]);
    const other = rng.uint32() % (text.length + 1);
    const [before, after] = [text.subarray(0, at), text.subarray(Math.min(text.length, at + length))];
    const pieces = [
      [before, after],
      [before, fragment, text.subarray(at)],
      [before, fragment, after],
      [before, text.subarray(other, other + length), text.subarray(at)],
      [before, Buffer.from([rng.uint32()]), text.subarray(Math.min(text.length, at + 1))],
      [before, Buffer.from(String(rng.uint32() % 32)), text.subarray(Math.min(text.length, at + 1))],
    ];
    text = Buffer.concat(pieces[rng.uint32() % pieces.length]);
  }
  const file = buildFile(text, 29);
  // Some files also lie about the length of their header.
  if (rng.uniform() < 0.1) file[rng.uint32() % 8] = rng.uint32();
  return file;
}

test(`${MUTANTS} damaged headers end in E_CORRUPT or in tensors of exactly the file's bytes`, async (t) => {
  let accepted = 0;
  let slowest = 0;
  for (let seed = 0; seed < MUTANTS; seed++) {
    const bytes = mutate(createRng(seed, 29));
    const start = performance.now();
    const file = await readOrRefuse(bytes).catch((error) => t.fail(`seed ${seed}: ${error}`));
    slowest = Math.max(slowest, performance.now() - start);
    if (typeof file !== "object") continue;
    accepted++;
    const read = [...file.tensors.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
    const body = bytes.length - 8 - Number(Buffer.from(bytes.buffer).readBigUInt64LE(0));
    if (read !== body) t.fail(`seed ${seed}: ${read} of ${body} bytes are in tensors`);
  }
  t.true(slowest < 2000, `the slowest took ${slowest} ms`);
  t.is(({} as { polluted?: unknown }).polluted, undefined);
  t.log(`${accepted} accepted, ${MUTANTS - accepted} refused, the slowest in ${slowest.toFixed(1)} ms`);
});
