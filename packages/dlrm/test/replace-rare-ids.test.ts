import { throwsCode } from "@tt-rec/testing";
import test from "ava";
import { type Batch, type BatchRequest, type RareIdOptions, replaceRareIds } from "../src/index.ts";
import { EMBEDDINGS, smallConfig } from "./support.ts";
import { syntheticSource } from "./synthetic-source.ts";

const CONFIG = {
  ...smallConfig(EMBEDDINGS.dense),
  tables: [7, 4001].map((n, i) => ({ name: `t${i}`, numEmbeddings: n, embedding: EMBEDDINGS.dense })),
};
const SOURCE = syntheticSource(CONFIG, 3000);
const TRAIN: BatchRequest = { split: "train", batchSize: 101, shuffle: true, seed: 5 };

async function collect(request: BatchRequest, options?: Partial<RareIdOptions>): Promise<Batch[]> {
  const source =
    options === undefined ? SOURCE : replaceRareIds(SOURCE, { counts: await counts(), share: 0.3, seed: 1, ...options });
  const batches: Batch[] = [];
  for await (const batch of source.batches(request)) batches.push(batch);
  return batches;
}

async function counts(): Promise<Uint32Array[]> {
  const occurrences = CONFIG.tables.map(({ numEmbeddings }) => new Uint32Array(numEmbeddings));
  for await (const { bags } of SOURCE.batches({ split: "train", batchSize: 500 })) {
    for (const [t, { indices }] of bags.entries()) for (const id of indices) occurrences[t][id]++;
  }
  return occurrences;
}

/** All ids of a table, in order. */
const idsOf = (batches: readonly Batch[], table: number): number[] => batches.flatMap(({ bags }) => [...bags[table].indices]);

test("a share of the occurrences of ids seen once becomes the unknown id, and nothing else changes", async (t) => {
  const occurrences = await counts();
  const [plain, replaced] = [await collect(TRAIN), await collect(TRAIN, {})];
  let [rare, changed] = [0, 0];
  for (const table of [0, 1]) {
    const after = idsOf(replaced, table);
    for (const [i, id] of idsOf(plain, table).entries()) {
      if (occurrences[table][id] === 1) rare++;
      if (id === after[i]) continue;
      t.is(occurrences[table][id], 1);
      t.is(after[i], 0);
      changed++;
    }
  }
  t.true(rare > 500);
  t.true(Math.abs(changed / rare - 0.3) < 4 * Math.sqrt(0.21 / rare), `${changed} of ${rare}`);
  for (const [i, batch] of replaced.entries()) {
    t.deepEqual([batch.size, batch.labels, batch.dense], [plain[i].size, plain[i].labels, plain[i].dense]);
  }
});

test("what is replaced depends on seed, epoch, batch and place alone, so a run that starts in the middle sees the same", async (t) => {
  const whole = await collect(TRAIN, {});
  const rest = await collect({ ...TRAIN, start: 11 }, {});
  t.deepEqual(
    rest.map(({ bags }) => bags),
    whole.slice(11).map(({ bags }) => bags),
  );
  t.deepEqual(idsOf(await collect(TRAIN, {}), 1), idsOf(whole, 1));
  t.notDeepEqual(idsOf(await collect(TRAIN, { seed: 2 }), 1), idsOf(whole, 1));
  const zeros = (ids: readonly number[]): string => ids.map((id) => (id === 0 ? "0" : "1")).join("");
  const still = { ...TRAIN, shuffle: false };
  t.not(zeros(idsOf(await collect({ ...still, epoch: 1 }, {}), 1)), zeros(idsOf(await collect(still, {}), 1)));
});

test("validation and test rows, frequent ids, and a share of 0 are left alone; a share of 1 replaces all rare ids", async (t) => {
  for (const split of ["validation", "test"] as const) {
    const request = { ...TRAIN, split };
    t.deepEqual(idsOf(await collect(request, { share: 1 }), 1), idsOf(await collect(request), 1));
  }
  t.deepEqual(idsOf(await collect(TRAIN, { share: 0 }), 1), idsOf(await collect(TRAIN), 1));
  const occurrences = await counts();
  const expected = idsOf(await collect(TRAIN), 1).map((id) => (occurrences[1][id] <= 2 ? 9 : id));
  t.deepEqual(idsOf(await collect(TRAIN, { share: 1, atMost: 2, unknown: 9 }), 1), expected);
});

test("a source's arrays are not written, bad options are E_OPTION, and counts of other tables are refused", async (t) => {
  const indices = Uint32Array.of(1, 2, 3);
  const batch = { size: 3, labels: new Float32Array(3), dense: new Float32Array(0), bags: [{ indices }] };
  const source = {
    rows: () => 3,
    async *batches() {
      yield batch;
    },
  };
  const options = { counts: [new Uint32Array(4)], share: 1, seed: 1 };
  for await (const { bags } of replaceRareIds(source, options).batches(TRAIN)) t.deepEqual([...bags[0].indices], [0, 0, 0]);
  t.deepEqual([...indices], [1, 2, 3]);
  t.is(replaceRareIds(source, options).rows("train"), 3);
  throwsCode(t, "E_OPTION", () => replaceRareIds(source, { ...options, share: 1.5 }), /share = 1.5/);
  throwsCode(t, "E_OPTION", () => replaceRareIds(source, { ...options, seed: 0.5 }), /seed = 0.5/);
  const batches = replaceRareIds(source, { ...options, counts: [] }).batches(TRAIN);
  await t.throwsAsync(batches[Symbol.asyncIterator]().next(), { code: "E_OPTION" });
});
