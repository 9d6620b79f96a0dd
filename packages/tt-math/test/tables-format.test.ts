import { createRng, readBytes, readSafetensors, writeSafetensors } from "@tt-rec/tensor";
import { throwsCode } from "@tt-rec/testing";
import test from "ava";
import {
  type CoreStorage,
  createTTShape,
  decodeTables,
  encodeTables,
  initializeCores,
  type QuantizedCores,
  quantizeCores,
} from "../src/index.ts";

const STORAGES: CoreStorage[] = ["float32", "float16", "int8"];

function tables(): Map<string, QuantizedCores> {
  return new Map(
    STORAGES.map((storage, i) => {
      const shape = createTTShape({ numEmbeddings: 500 + i, embeddingDim: 12, ranks: 3 + i, cores: 2 + i });
      const cores = initializeCores(shape, createRng(i), { kind: "gaussian" });
      return [`model.${storage}`, quantizeCores({ shape, cores }, storage)];
    }),
  );
}

async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const list: Uint8Array[] = [];
  for await (const piece of pieces) list.push(piece.slice());
  return new Uint8Array(Buffer.concat(list));
}

test("tables of every storage go through a safetensors file without a changed bit, and the bytes are the same again", async (t) => {
  const { tensors, metadata } = encodeTables(tables());
  const bytes = await collect(writeSafetensors(tensors, metadata));
  const read = decodeTables(await readSafetensors(readBytes(bytes)));
  t.deepEqual(read, tables());
  const again = encodeTables(read);
  t.deepEqual(await collect(writeSafetensors(again.tensors, again.metadata)), bytes);
});

test("other tensors in the file are left alone", (t) => {
  const { tensors, metadata } = encodeTables(tables());
  const more = new Map([...tensors, ["bias", { dtype: "F32", shape: [2], data: Float32Array.of(1, 2) }] as const]);
  t.deepEqual(decodeTables({ tensors: more, metadata }), tables());
});

test("damaged metadata, missing and wrong tensors, and later versions are refused", (t) => {
  const { tensors, metadata } = encodeTables(tables());
  const withMetadata = (key: string, value: string) => () =>
    decodeTables({ tensors, metadata: new Map([...metadata, [key, value]]) });
  throwsCode(t, "E_CORRUPT", withMetadata("format", "other"), /its format is not tt-rec-tables/);
  throwsCode(t, "E_VERSION", withMetadata("version", "2"), /version 2/);
  for (const value of ["", "null", "3", '{"a":1}', '{"a":{}}', '{"a":{"storage":"int8","rowShape":[2,2]}}']) {
    throwsCode(t, "E_CORRUPT", withMetadata("tables", value));
  }
  for (const name of ["model.int8.scale.1", "model.float16.core.0"]) {
    const fewer = new Map([...tensors].filter(([key]) => key !== name));
    throwsCode(t, "E_CORRUPT", () => decodeTables({ tensors: fewer, metadata }), /is missing/);
    const other = new Map([...tensors, [name, { dtype: "U8", shape: [1], data: Uint8Array.of(1) }] as const]);
    throwsCode(t, "E_CORRUPT", () => decodeTables({ tensors: other, metadata }), /is U8 \[1\]/);
  }
});
