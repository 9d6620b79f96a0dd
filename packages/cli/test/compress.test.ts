import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { createRng, type HostTensor, type NamedTensors, readSafetensors, writeSafetensors } from "@tt-rec/tensor";
import { nodeDirectory } from "@tt-rec/tensor/node";
import { createTTShape, decodeTables, dequantizeCores, encodeFloat16, initializeCores, toDense } from "@tt-rec/tt-math";
import test from "ava";
import { dump } from "npyjs";
import { eventsOf, inFolder, ttRec } from "./support.ts";

/** A table of TT-rank 3 with 2 % of noise. */
function noisyTable(numEmbeddings: number, embeddingDim: number, seed: number): Float32Array {
  const shape = createTTShape({ numEmbeddings, embeddingDim, ranks: 3 });
  const rng = createRng(seed);
  const table = toDense({ shape, cores: initializeCores(shape, rng, { kind: "gaussian", standardDeviation: 0.1 }) });
  for (let i = 0; i < table.length; i++) table[i] += 0.004 * (rng.uniform() - 0.5);
  return table;
}

const npy = (path: string, data: Float32Array | Float64Array | BigInt64Array, shape: number[]): void =>
  writeFileSync(path, new Uint8Array(dump(data, shape)));

async function save(path: string, tensors: NamedTensors): Promise<void> {
  await nodeDirectory(dirname(path)).commit(basename(path), writeSafetensors(tensors));
}

const load = async (path: string) => readSafetensors(await nodeDirectory(dirname(path)).read(basename(path)));

function distance(found: Float32Array, table: Float32Array): number {
  let [error, norm] = [0, 0];
  for (let i = 0; i < table.length; i++) {
    error += (found[i] - table[i]) ** 2;
    norm += table[i] ** 2;
  }
  return Math.sqrt(error / norm);
}

test("an .npy table is compressed to an error, and the report says what was written", async (t) => {
  await inFolder(async (path) => {
    const table = noisyTable(5003, 12, 1);
    npy(path("table.npy"), table, [5003, 12]);
    const rough = await ttRec(
      ...["compress", path("table.npy"), "--out", path("rough.safetensors"), "--epsilon", "0.001", "--storage", "int8"],
    );
    t.regex(rough.stderr, /in int8 its error is 0.0\d*, above --epsilon = 0.001/);
    const { code, stdout, stderr } = await ttRec(
      "compress",
      path("table.npy"),
      "--out",
      path("out.safetensors"),
      "--epsilon",
      "0.05",
    );
    t.is(code, 0, stderr);
    t.regex(stdout, /table +│ +5,003 │/);
    const found = decodeTables(await load(path("out.safetensors"))).get("table");
    if (found === undefined) throw new Error("the table is missing");
    t.deepEqual(found.shape.ranks, [1, 3, 3, 1]);
    t.true(distance(toDense(dequantizeCores(found)), table) <= 0.05);
  });
});

const dense = (rows: number, seed: number): HostTensor => ({ dtype: "F32", shape: [rows, 8], data: noisyTable(rows, 8, seed) });

test("the tables of a model are compressed to a budget in int8, and all other tensors keep their bits", async (t) => {
  await inFolder(async (path) => {
    const others = new Map<string, HostTensor>([
      ["top.0.weight", { dtype: "F32", shape: [40, 30], data: Float32Array.from({ length: 1200 }, (_, i) => i / 7) }],
      ["steps", { dtype: "U32", shape: [1], data: Uint32Array.of(5) }],
      ["users.adagrad", { ...dense(4001, 9) }],
      ["half", { dtype: "F16", shape: [2], data: Uint16Array.of(1, 2) }],
    ]);
    const tables = new Map<string, HostTensor>([["users", dense(4001, 2)] as const, ["items", dense(2503, 3)] as const]);
    await save(path("model.safetensors"), new Map([...others, ...tables]));
    const run = await ttRec(
      ...["compress", path("model.safetensors"), "--out", path("out.safetensors")],
      ...["--budget", "158kB", "--storage", "int8", "--shapes", "compact", "--json"],
    );
    t.is(run.code, 0, run.stderr);
    const { tensors, metadata } = await load(path("out.safetensors"));
    for (const [name, tensor] of others) t.deepEqual(tensors.get(name), tensor);
    t.true([...tensors.values()].reduce((sum, { data }) => sum + data.byteLength, 0) <= 158_000);
    const found = decodeTables({ tensors, metadata });
    t.deepEqual([...found.keys()].sort(), ["items", "users"]);
    const events = eventsOf(run).filter(({ event }) => event === "table");
    for (const { name, relativeError, ratio } of events as { name: string; relativeError: number; ratio: number }[]) {
      const cores = found.get(name);
      if (cores === undefined) throw new Error("the table is missing");
      t.is(cores.storage, "int8");
      const table = tables.get(name)?.data as Float32Array;
      t.true(Math.abs(distance(toDense(dequantizeCores(cores)), table) - relativeError) < 1e-5);
      t.true(ratio > 5);
    }
    t.is(events.length, 2);
    t.like(eventsOf(run).at(-1), { event: "compressed", tables: 2, uncompressedBytes: 4 * 8 * 6504 });
  });
});

test("counts lower the error that lookups see, at the same bytes", async (t) => {
  await inFolder(async (path) => {
    const rng = createRng(4);
    npy(
      path("t.npy"),
      Float32Array.from({ length: 3000 * 8 }, () => rng.normal()),
      [3000, 8],
    );
    const counts = BigInt64Array.from({ length: 3000 }, (_, i) => BigInt(Math.floor(3000 / (1 + ((i * 17) % 3000)))));
    npy(path("c.npy"), counts, [3000]);
    const rank = async (...more: string[]) => {
      const out = path(`out${more.length}.safetensors`);
      const run = await ttRec("compress", path("t.npy"), "--out", out, "--ratio", "8", "--json", ...more);
      t.is(run.code, 0, run.stderr);
      return eventsOf(run).find(({ event }) => event === "table") as {
        bytes: number;
        weightedError?: number;
        relativeError: number;
      };
    };
    const [plain, weighted] = [await rank(), await rank("--counts", path("c.npy"))];
    t.is(weighted.bytes, plain.bytes);
    t.true((weighted.weightedError ?? 1) < 0.8 * plain.relativeError);
    t.is(plain.weightedError, undefined);
  });
});

test("a large table is streamed, in half precision, with progress, and the same seed gives the same bytes", async (t) => {
  await inFolder(async (path) => {
    const rows = 400_009;
    const table = noisyTable(rows, 16, 5);
    await save(path("model.safetensors"), new Map([["big", { dtype: "F16", shape: [rows, 16], data: encodeFloat16(table) }]]));
    const args = ["compress", path("model.safetensors"), "--epsilon", "0.05", "--json"];
    const runs = [];
    for (const [i, threads] of ["1", "2"].entries()) {
      const blas = ["--threads", threads, "--blas", "off"];
      runs.push(await ttRec(...args, "--out", path(`out${i}.safetensors`), ...blas));
    }
    t.is(runs[0].code, 0, runs[0].stderr);
    const events = eventsOf(runs[0]);
    t.like(
      events.find(({ event }) => event === "table"),
      { method: "randomised SVD", shape: { ranks: [1, 3, 3, 1] } },
    );
    const percents = events.filter(({ event }) => event === "progress").map(({ percent }) => percent as number);
    t.true(percents.length > 5 && percents.every((percent, i) => i === 0 || percent > percents[i - 1]));
    const [first, second] = [await load(path("out0.safetensors")), await load(path("out1.safetensors"))];
    t.deepEqual(first.tensors, second.tensors);
  });
});

test("numpy's files are read, and it reads what is written, where Python is present", async (t) => {
  await inFolder(async (path) => {
    const python = (program: string) => spawnSync("/usr/bin/python3", ["-c", program, path("a.npy"), path("out.safetensors")]);
    const made = python(
      "import sys,numpy as np; r=np.random.default_rng(1); a=np.outer(np.arange(1,2001),r.random(6)).astype(np.float16); np.save(sys.argv[1],a)",
    );
    if (made.error !== undefined || made.status !== 0) {
      t.log("skipped: no python3 with numpy");
      t.pass();
      return;
    }
    const { code, stderr } = await ttRec("compress", path("a.npy"), "--out", path("out.safetensors"), "--ratio", "20");
    t.is(code, 0, stderr);
    // The contraction of the cores as docs/formats.md describes it.
    const checked = python(
      [
        "import sys,json,struct,numpy as np",
        "b=open(sys.argv[2],'rb').read(); n=struct.unpack('<Q',b[:8])[0]; h=json.loads(b[8:8+n]); d=b[8+n:]",
        "s=json.loads(h['__metadata__']['tables'])['a']",
        "c=[np.frombuffer(d[slice(*h[f'a.core.{k}']['data_offsets'])],np.float32).reshape(h[f'a.core.{k}']['shape']) for k in range(3)]",
        "w=np.einsum('aibj,cjdk,ekfl->acebdf',*[x.transpose(0,1,2,3) for x in c]).reshape(-1,s['embeddingDim'])[:s['numEmbeddings']]",
        "a=np.load(sys.argv[1]).astype(np.float64); e=np.linalg.norm(w-a)/np.linalg.norm(a); assert e<2e-3,e",
      ].join("\n"),
    );
    t.is(checked.status, 0, String(checked.stderr));
  });
});

test("what cannot be compressed is refused before anything is written, with its exit code", async (t) => {
  await inFolder(async (path) => {
    npy(path("t.npy"), noisyTable(1500, 8, 1), [1500, 8]);
    npy(path("wide.npy"), Float64Array.of(1, 2), [1, 2]);
    npy(path("bad.npy"), noisyTable(1500, 8, 1).with(8000, Number.NaN), [1500, 8]);
    npy(path("counts.npy"), Float64Array.of(1, 2), [2]);
    writeFileSync(path("cut.npy"), new Uint8Array(dump(noisyTable(1500, 8, 1), [1500, 8])).subarray(0, 9000));
    writeFileSync(path("text.npy"), Buffer.from("\x93NUMPY", "latin1"));
    const header = "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }".padEnd(117);
    const fortran = Buffer.concat([
      Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, 118, 0]),
      Buffer.from(`${header}\n`),
      Buffer.alloc(16),
    ]);
    writeFileSync(path("fortran.npy"), fortran);
    writeFileSync(path("there.safetensors"), "x");
    const cases: [string[], number, RegExp][] = [
      [["t.npy"], 2, /needs one of --budget, --ratio or --epsilon/],
      [["t.npy", "--ratio", "9", "--epsilon", "0.1"], 2, /needs one of/],
      [["t.npy", "--budget", "12 bananas"], 2, /--budget = "12 bananas" is not a number of bytes/],
      [["t.npy", "--budget", "10"], 2, /a budget of 10 bytes is below/],
      [["t.npy", "--ratio", "9", "--tables", "users"], 2, /"users" is not in/],
      [["none.npy", "--ratio", "9"], 2, /there is no file/],
      [["wide.npy", "--ratio", "9"], 3, /holds f8 \[1,2\]; a table has two axes/],
      [["bad.npy", "--ratio", "9"], 6, /row 1000, is not finite/],
      [["t.npy", "--ratio", "9", "--counts", "counts.npy"], 3, /has 2 counts for the 1500 rows of t/],
      [["cut.npy", "--ratio", "9"], 4, /bytes of data, 48000 were expected/],
      [["text.npy", "--ratio", "9"], 4, /not an .npy file that can be read/],
      [["fortran.npy", "--ratio", "9"], 4, /fortran_order/],
    ];
    for (const [[file, ...args], exit, message] of cases) {
      const own = args.map((arg) => (arg.endsWith(".npy") ? path(arg) : arg));
      const { code, stderr } = await ttRec("compress", path(file), "--out", path("out.safetensors"), ...own);
      t.regex(stderr, message);
      t.is(code, exit, stderr);
    }
    t.deepEqual(
      await nodeDirectory(path(""))
        .list()
        .then((names) => names.includes("out.safetensors")),
      false,
    );
    const there = await ttRec("compress", path("t.npy"), "--out", path("there.safetensors"), "--ratio", "9");
    t.is(there.code, 2);
    t.regex(there.stderr, /exists; --replace replaces it/);
  });
});
