import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createRng,
  type ElementType,
  type HostTensor,
  memoryDirectory,
  type NamedTensors,
  readBytes,
  readSafetensors,
  writeSafetensors,
} from "@tt-rec/tensor";
import { rejectsCode } from "@tt-rec/testing";
import test from "ava";
import fc from "fast-check";
import { buildFile, bytesOf, entry } from "./safetensors-files.ts";

const RUNS = process.env.TT_REC_LONG ? 2000 : 100;
const ARRAYS = { F32: Float32Array, F64: Float64Array, F16: Uint16Array, I8: Int8Array, U8: Uint8Array, U32: Uint32Array };

/** Any bit pattern is an element: NaN payloads, subnormals and infinities included. */
const tensorOf = (dtype: ElementType, shape: number[], seed: number): HostTensor => {
  const rng = createRng(seed);
  const elements = shape.reduce((a, b) => a * b, 1);
  const bytes = Uint8Array.from({ length: elements * ARRAYS[dtype].BYTES_PER_ELEMENT }, () => rng.uint32());
  return { dtype, shape, data: new ARRAYS[dtype](bytes.buffer) };
};

const tensors = fc
  .array(
    fc.tuple(
      fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("__proto__", "constructor", "toString", "0", "", 'a"\\')),
      fc.tuple(
        fc.constantFrom("F32", "F64", "F16", "I8", "U8", "U32"),
        fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 }),
        fc.nat(),
      ),
    ),
    { maxLength: 7 },
  )
  .map((list): NamedTensors => new Map(list.map(([name, [dtype, shape, seed]]) => [name, tensorOf(dtype, shape, seed)])));

const metadata = fc
  .array(fc.tuple(fc.string({ unit: "binary" }), fc.string({ unit: "binary" })), { maxLength: 5 })
  .map((list) => new Map(list));

const bits = ({ data }: HostTensor): Buffer => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

test("what is written is read back: names, types, shapes, bits and metadata", async (t) => {
  await fc.assert(
    fc.asyncProperty(tensors, metadata, async (written, notes) => {
      const file = await readSafetensors(readBytes(await bytesOf(writeSafetensors(written, notes))));
      t.deepEqual(file.metadata, notes);
      t.deepEqual([...file.tensors.keys()].sort(), [...written.keys()].sort());
      for (const [name, tensor] of written) {
        const read = file.tensors.get(name);
        t.is(read?.dtype, tensor.dtype);
        t.deepEqual(read?.shape, tensor.shape);
        t.true(read !== undefined && bits(read).equals(bits(tensor)), name);
      }
    }),
    { numRuns: RUNS },
  );
});

test("every tensor lies at a multiple of its element size", async (t) => {
  await fc.assert(
    fc.asyncProperty(tensors, async (written) => {
      const bytes = await bytesOf(writeSafetensors(written));
      const headerBytes = Number(new DataView(bytes.buffer).getBigUint64(0, true));
      const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + headerBytes)));
      for (const [name, { dtype, data_offsets }] of Object.entries<{ dtype: ElementType; data_offsets: number[] }>(header)) {
        t.is((8 + headerBytes + data_offsets[0]) % ARRAYS[dtype].BYTES_PER_ELEMENT, 0, name);
      }
    }),
    { numRuns: 50 },
  );
});

test("a tensor that is a part of a larger array is written alone, and in pieces when it is large", async (t) => {
  const backing = Float32Array.from({ length: 2_500_003 }, (_, i) => i);
  const part: HostTensor = { dtype: "F32", shape: [2_400_001], data: backing.subarray(17, 2_400_018) };
  const pieces: number[] = [];
  const directory = memoryDirectory();
  await directory.commit(
    "table",
    (async function* () {
      for await (const piece of writeSafetensors(new Map([["a", part]]))) {
        pieces.push(piece.length);
        yield piece;
      }
    })(),
  );
  t.true(pieces.length > 3 && Math.max(...pieces) <= 1 << 22, `${pieces}`);
  const read = (await readSafetensors(await directory.read("table"))).tensors.get("a");
  t.deepEqual([read?.data[0], read?.data[2_400_000], read?.data.length], [17, 2_400_017, 2_400_001]);
});

test("a file may hand out parts of one buffer, wherever they lie", async (t) => {
  const written = new Map([
    ["a", tensorOf("F64", [7], 1)],
    ["b", tensorOf("U8", [3], 2)],
    ["c", tensorOf("F32", [5], 3)],
  ]);
  const bytes = await bytesOf(writeSafetensors(written));
  const larger = new Uint8Array(bytes.length + 1);
  larger.set(bytes, 1);
  const slice = async (start: number, end: number): Promise<Uint8Array> => larger.subarray(1 + start, 1 + end);
  const { tensors } = await readSafetensors({ byteLength: bytes.length, slice });
  larger.fill(0);
  for (const [name, tensor] of written) t.deepEqual(tensors.get(name), tensor);
});

test("nothing is written of a tensor whose data do not fit its description", async (t) => {
  const write = (name: string, tensor: HostTensor): Promise<unknown> => bytesOf(writeSafetensors(new Map([[name, tensor]])));
  const data = new Float32Array(6);
  await rejectsCode(t, "E_SHAPE", write("a", { dtype: "F32", shape: [2, 2], data }), /"a" of shape \[2,2\] has 6 elements/);
  await rejectsCode(t, "E_SHAPE", write("a", { dtype: "F32", shape: [-2, -3], data }), /shape\[0\] = -2/);
  await rejectsCode(t, "E_SHAPE", write("a", { dtype: "F64", shape: [6], data }), /"a" in F64 has elements of 4 bytes/);
  await rejectsCode(t, "E_SHAPE", write("__metadata__", { dtype: "F32", shape: [6], data }), /cannot be called/);
});

const A = entry("U8", [3], 0, 3);
const VALID: [string, string | Uint8Array, number][] = [
  ["no tensors", "{}", 0],
  ["metadata alone", '{"__metadata__":{"format":"pt"}}', 0],
  ["spaces after the header", '{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}      ', 3],
  ["a scalar", `{"a":${entry("F32", [], 0, 4)}}`, 4],
  ["an empty tensor between others", `{"a":${A},"e":${entry("F32", [5, 0], 3, 3)},"b":${entry("U8", [1], 3, 4)}}`, 4],
  ["an empty tensor with an extent of 2^52", `{"e":${entry("F32", [2 ** 52, 0, 2 ** 52], 0, 0)}}`, 0],
  ["keys in another order than the bytes", `{"b":${entry("U8", [1], 3, 4)},"a":${A}}`, 4],
  ["wide elements at an odd byte", `{"a":${entry("U8", [1], 0, 1)},"b":${entry("F64", [1], 1, 9)}}`, 9],
  ["one key in two objects", `{"__metadata__":{"a":"x","shape":"y"},"a":${A}}`, 3],
  ["names of Object.prototype", `{"__proto__":${A},"constructor":${entry("U8", [2], 3, 5)}}`, 5],
];

for (const [rule, header, bodyBytes] of VALID) {
  test(`a valid file: ${rule}`, async (t) => {
    const { tensors } = await readSafetensors(readBytes(buildFile(header, bodyBytes)));
    const read = [...tensors.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
    t.is(read, bodyBytes);
  });
}

const deep = "[".repeat(200_000) + "]".repeat(200_000);
const MALFORMED: [string, string | Uint8Array, number, RegExp][] = [
  ["an empty header", "", 0, /does not start with \{/],
  ["a header that starts with a space", " {}", 0, /does not start with \{/],
  ["a header that starts with a byte order mark", "\ufeff{}", 0, /does not start with \{/],
  ["a header that is an array", "[]", 0, /does not start with \{/],
  ["a header that is not UTF-8", Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d), 0, /not UTF-8/],
  ["a header that is not JSON", "{a}", 0, /not JSON/],
  ["a header cut short", '{"a":', 0, /not JSON/],
  ["text after the header", "{}x", 0, /not JSON/],
  ["zeros after the header", "{}\0\0", 0, /not JSON/],
  ["a tensor named twice", `{"a":${A},"a":${A}}`, 3, /the key "a" twice/],
  ["a tensor named twice in different spellings", `{"a":${A},"\\u0061":${A}}`, 3, /the key "a" twice/],
  ["a field named twice", '{"a":{"dtype":"U8","dtype":"U8","shape":[3],"data_offsets":[0,3]}}', 3, /the key "dtype" twice/],
  ["a metadata entry named twice", '{"__metadata__":{"k":"1","k":"2"}}', 0, /the key "k" twice/],
  ["metadata named twice", '{"__metadata__":{},"__metadata__":{}}', 0, /the key "__metadata__" twice/],
  ["metadata that is a list", '{"__metadata__":["x"]}', 0, /__metadata__ is not an object/],
  ["metadata that is null", '{"__metadata__":null}', 0, /__metadata__ is not an object/],
  ["metadata that is no string", '{"__metadata__":{"k":1}}', 0, /__metadata__\["k"\] is not a string/],
  ["metadata that is nested", '{"__metadata__":{"k":{}}}', 0, /__metadata__\["k"\] is not a string/],
  ["a tensor without a description", '{"a":null}', 0, /"a" has no description/],
  ["a tensor described by a list", '{"a":[]}', 0, /"a" has no description/],
  ["an unknown field", '{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3],"x":1}}', 3, /the unknown field "x"/],
  ["no element type", '{"a":{"shape":[3],"data_offsets":[0,3]}}', 3, /has no element type/],
  [
    "an unknown element type",
    `{"a":${entry("I7", [3], 0, 3)}}`,
    3,
    /the element type "I7"; known are F32, F64, F16, I8, U8, U32/,
  ],
  ["an element type of Object.prototype", `{"a":${entry("constructor", [3], 0, 3)}}`, 3, /the element type "constructor"/],
  ["no shape", '{"a":{"dtype":"U8","data_offsets":[0,3]}}', 3, /the shape is not a list/],
  ["a negative extent", `{"a":${entry("U8", [-3], 0, 3)}}`, 3, /the shape is not a list/],
  ["a fractional extent", `{"a":${entry("U8", [1.5, 2], 0, 3)}}`, 3, /the shape is not a list/],
  ["an extent that is a string", '{"a":{"dtype":"U8","shape":["3"],"data_offsets":[0,3]}}', 3, /the shape is not a list/],
  ["an extent of 2^53", `{"a":${entry("U8", [2 ** 53, 0], 0, 0)}}`, 0, /the shape is not a list/],
  ["an infinite extent", '{"a":{"dtype":"U8","shape":[1e999],"data_offsets":[0,3]}}', 3, /the shape is not a list/],
  [
    "a shape nested deeper than the stack",
    `{"a":{"dtype":"U8","shape":${deep},"data_offsets":[0,3]}}`,
    3,
    /the shape is not a list/,
  ],
  ["offsets nested deeper than the stack", `{"a":{"dtype":"U8","shape":[3],"data_offsets":${deep}}}`, 3, /data_offsets/],
  ["an element type nested deeper than the stack", `{"a":{"dtype":${deep},"shape":[3],"data_offsets":[0,3]}}`, 3, /element type/],
  ["no offsets", '{"a":{"dtype":"U8","shape":[3]}}', 3, /data_offsets/],
  ["three offsets", '{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3,3]}}', 3, /data_offsets/],
  ["falling offsets", `{"a":${entry("U8", [3], 3, 0)}}`, 3, /data_offsets/],
  ["a negative offset", `{"a":${entry("U8", [3], -3, 0)}}`, 3, /data_offsets/],
  ["a fractional offset", `{"a":${entry("U8", [3], 0.5, 3.5)}}`, 3, /data_offsets/],
  ["offsets of 2^53", `{"a":${entry("U8", [0], 2 ** 53, 2 ** 53)}}`, 0, /data_offsets/],
  [
    "a shape larger than its bytes",
    `{"a":${entry("F32", [3], 0, 4)}}`,
    4,
    /shape \[3\] in F32 needs 12 bytes, its data_offsets span 4/,
  ],
  ["a shape smaller than its bytes", `{"a":${entry("U8", [2], 0, 3)}}`, 3, /needs 2 bytes, its data_offsets span 3/],
  ["a shape whose product overflows 64 bits", `{"a":${entry("F32", [2 ** 31, 2 ** 31, 4], 0, 0)}}`, 0, /data_offsets span 0/],
  ["a shape whose product is infinite", `{"a":${entry("U8", new Array(40).fill(2 ** 52), 0, 3)}}`, 3, /needs Infinity bytes/],
  ["tensors that overlap", `{"a":${A},"b":${entry("U8", [3], 2, 5)}}`, 5, /"b" starts at byte 2, the one before ends at 3/],
  ["two tensors in one place", `{"a":${A},"b":${A}}`, 3, /starts at byte 0, the one before ends at 3/],
  ["an empty tensor inside another", `{"a":${A},"e":${entry("U8", [0], 1, 1)}}`, 3, /"e" starts at byte 1/],
  ["a hole before the first tensor", `{"a":${entry("U8", [3], 1, 4)}}`, 4, /"a" starts at byte 1, the one before ends at 0/],
  ["a hole between tensors", `{"a":${A},"b":${entry("U8", [1], 4, 5)}}`, 5, /"b" starts at byte 4, the one before ends at 3/],
  ["bytes after the last tensor", `{"a":${A}}`, 4, /the tensors end at byte 3, the file holds 4/],
  ["missing bytes of the last tensor", `{"a":${A}}`, 2, /the tensors end at byte 3, the file holds 2/],
  ["bytes without a tensor", "{}", 1, /the tensors end at byte 0, the file holds 1/],
];

for (const [rule, header, bodyBytes, message] of MALFORMED) {
  test(`refused: ${rule}`, async (t) => {
    await rejectsCode(t, "E_CORRUPT", readSafetensors(readBytes(buildFile(header, bodyBytes))), message);
  });
}

test("refused: a file shorter than the length of its header", async (t) => {
  for (let length = 0; length < 8; length++) {
    await rejectsCode(t, "E_CORRUPT", readSafetensors(readBytes(new Uint8Array(length))), /at least 8 bytes/);
  }
});

test("refused: a header that ends behind the file", async (t) => {
  for (const claimed of [3n, 2n ** 32n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n]) {
    const bytes = buildFile("{}", 0);
    new DataView(bytes.buffer).setBigUint64(0, claimed, true);
    await rejectsCode(t, "E_CORRUPT", readSafetensors(readBytes(bytes)), /claims \d+ bytes/);
  }
});

test("refused: a header above the format's bound, before it is read", async (t) => {
  const prefix = new Uint8Array(8);
  new DataView(prefix.buffer).setBigUint64(0, 100_000_001n, true);
  const asked: number[] = [];
  const file = {
    byteLength: 2 ** 31,
    slice: async (start: number, end: number) => {
      asked.push(end);
      return prefix.slice(start, end);
    },
  };
  await rejectsCode(t, "E_CORRUPT", readSafetensors(file), /100000000 are allowed/);
  t.deepEqual(asked, [8]);
});

test("tensors with the names of Object.prototype are tensors, and the prototype stays as it was", async (t) => {
  const before = Object.getOwnPropertyNames(Object.prototype);
  const written = new Map(["__proto__", "constructor", "hasOwnProperty"].map((name, i) => [name, tensorOf("F32", [i + 2], i)]));
  const { tensors, metadata } = await readSafetensors(
    readBytes(await bytesOf(writeSafetensors(written, new Map([["__proto__", "polluted"]])))),
  );
  t.deepEqual([...tensors.keys()], [...written.keys()]);
  t.deepEqual(tensors.get("__proto__")?.shape, [2]);
  t.is(metadata.get("__proto__"), "polluted");
  t.deepEqual(Object.getOwnPropertyNames(Object.prototype), before);
  t.is(({} as { polluted?: unknown }).polluted, undefined);
});

const PYTHON_READ = `
import json, struct, sys
import numpy
raw = open(sys.argv[1], "rb").read()
(size,) = struct.unpack("<Q", raw[:8])
header = json.loads(raw[8:8 + size])
types = {"F32": "<f4", "F64": "<f8", "U8": "u1", "U32": "<u4"}
notes = header.pop("__metadata__", {})
tensors = {}
for name, e in header.items():
    begin, end = e["data_offsets"]
    values = numpy.frombuffer(raw[8 + size + begin:8 + size + end], types[e["dtype"]]).reshape(e["shape"])
    tensors[name] = {"dtype": e["dtype"], "shape": list(values.shape), "sum": float(values.astype("f8").sum()), "last": float(values.flat[-1])}
print(json.dumps({"notes": notes, "tensors": tensors}))
`;

const PYTHON_WRITE = `
import json, struct, sys
import numpy
types = {"float32": "F32", "float64": "F64", "uint8": "U8", "uint32": "U32"}
arrays = {"wörter": numpy.arange(15, dtype="float32").reshape(3, 5) / 7, "ids": numpy.array([0, 2**32 - 1], "uint32"),
          "bytes": numpy.arange(7, dtype="uint8"), "scalar": numpy.array(0.1, "float64")}
header, body = {"__metadata__": {"by": "numpy"}}, b""
for name, a in arrays.items():
    header[name] = {"dtype": types[str(a.dtype)], "shape": list(a.shape), "data_offsets": [len(body), len(body) + a.nbytes]}
    body += a.tobytes()
text = json.dumps(header).encode()
open(sys.argv[1], "wb").write(struct.pack("<Q", len(text)) + text + body)
`;

test("numpy reads what is written here, and the other way round", async (t) => {
  if (spawnSync("python3", ["-c", "import numpy"]).status !== 0) {
    t.log("skipped: there is no python3 with numpy here");
    t.pass();
    return;
  }
  const folder = await mkdtemp(join(tmpdir(), "tt-rec-safetensors-"));
  try {
    const path = join(folder, "file.safetensors");
    const rng = createRng(23);
    const normals = (length: number): Float64Array => Float64Array.from({ length }, () => rng.normal());
    const written: NamedTensors = new Map<string, HostTensor>([
      ["kern/é", { dtype: "F32", shape: [3, 5, 7], data: Float32Array.from(normals(105)) }],
      ["accumulators", { dtype: "F64", shape: [11], data: normals(11) }],
      ["ids", { dtype: "U32", shape: [2], data: Uint32Array.of(7, 2 ** 32 - 1) }],
      ["flags", { dtype: "U8", shape: [1, 3], data: Uint8Array.of(1, 0, 255) }],
    ]);
    await writeFile(path, writeSafetensors(written, new Map([["note", "grüße"]])));
    const reader = spawnSync("python3", ["-c", PYTHON_READ, path], { encoding: "utf8" });
    t.is(reader.status, 0, reader.stderr);
    const read = JSON.parse(reader.stdout);
    t.deepEqual(read.notes, { note: "grüße" });
    t.is(Object.keys(read.tensors).length, written.size);
    for (const [name, { dtype, shape, data }] of written) {
      const sum = Array.from(data).reduce((a, b) => a + b, 0);
      t.like(read.tensors[name], { dtype, shape: [...shape], last: data[data.length - 1] });
      t.true(Math.abs(read.tensors[name].sum - sum) <= 1e-12 * Math.abs(sum), name);
    }

    const writer = spawnSync("python3", ["-c", PYTHON_WRITE, path], { encoding: "utf8" });
    t.is(writer.status, 0, writer.stderr);
    const { tensors, metadata } = await readSafetensors(readBytes(new Uint8Array(await readFile(path))));
    t.deepEqual([...metadata], [["by", "numpy"]]);
    t.deepEqual(tensors.get("wörter"), {
      dtype: "F32",
      shape: [3, 5],
      data: Float32Array.from({ length: 15 }, (_, i) => Math.fround(i) / Math.fround(7)),
    });
    t.deepEqual(tensors.get("ids")?.data, Uint32Array.of(0, 2 ** 32 - 1));
    t.deepEqual(tensors.get("bytes")?.data, Uint8Array.of(0, 1, 2, 3, 4, 5, 6));
    t.deepEqual(tensors.get("scalar"), { dtype: "F64", shape: [], data: Float64Array.of(0.1) });
  } finally {
    await rm(folder, { recursive: true });
  }
});
