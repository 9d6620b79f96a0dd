import { Runtime } from "@tt-rec/tensor";
import { NO_ROW } from "@tt-rec/tt-kernels";
import test from "ava";
import fc from "fast-check";
import { SlotTable } from "../src/slot-table.ts";

const RUNS = process.env.TT_REC_LONG ? 5000 : 200;
const CAPACITY = 13;

/** Few ids, the largest and the smallest among them, so that they meet each other, come back and go. */
const ID = fc.oneof(fc.nat(40), fc.integer({ min: 2 ** 32 - 9, max: 2 ** 32 - 2 }));

test("ids come and go, and the map and its kernel tell the same as a Map", async (t) => {
  const runtimes = [await Runtime.create({ poison: true }), await Runtime.create({ backend: "reference" })];
  const tables = runtimes.map((runtime) => new SlotTable(runtime, CAPACITY));
  fc.assert(
    fc.property(
      fc.array(fc.record({ id: ID, goes: fc.boolean() }), { maxLength: 60 }),
      fc.array(ID, { maxLength: 50 }),
      (changes, ids) => {
        const expected = new Map<number, number>();
        const free = Array.from({ length: CAPACITY }, (_, slot) => slot);
        for (const table of tables) table.clear();
        for (const { id, goes } of changes) {
          const slot = expected.get(id);
          if (goes) {
            for (const table of tables) table.delete(id);
            if (slot !== undefined) free.push(slot);
            expected.delete(id);
          } else if (slot === undefined && free.length > 0) {
            const taken = free.pop() as number;
            for (const table of tables) table.set(id, taken);
            expected.set(id, taken);
          }
        }
        const rows = Uint32Array.from(ids);
        const slots = rows.map((id) => expected.get(id) ?? NO_ROW);
        const accesses = new Uint32Array(CAPACITY);
        for (const slot of slots) if (slot !== NO_ROW) accesses[slot]++;
        const positions = rows.map((_, p) => p);
        for (const table of tables) {
          const lookup = { outputs: rows.length, rows };
          table.probe(lookup, false);
          t.true(table.accesses.every((count) => count === 0));
          const probed = table.probe(lookup, true);
          t.deepEqual([...probed.slots], [...slots]);
          t.deepEqual([...probed.laid], [...positions.filter((p) => slots[p] !== NO_ROW)]);
          t.deepEqual([...probed.below], [...positions.filter((p) => slots[p] === NO_ROW)]);
          t.deepEqual([...table.accesses], [...accesses]);
          for (const id of ids) t.is(table.slotOf(id), expected.get(id) ?? NO_ROW);
        }
      },
    ),
    { numRuns: RUNS },
  );
});

test("an id that is no row is refused by the map and its kernel, before any access is counted", async (t) => {
  const runtimes = [await Runtime.create({ poison: true }), await Runtime.create({ backend: "reference" })];
  const tables = runtimes.map((runtime) => new SlotTable(runtime, CAPACITY));
  for (const table of tables) table.set(3, 7);
  fc.assert(
    fc.property(
      fc.array(ID, { maxLength: 50 }),
      fc.oneof(fc.integer({ min: 1, max: 41 }), fc.constant(2 ** 32 - 3)),
      (ids, extent) => {
        const rows = Uint32Array.from(ids);
        const first = ids.findIndex((id) => id >= extent);
        for (const table of tables) {
          table.accesses.fill(0);
          const probe = (): unknown => table.probe({ outputs: rows.length, rows }, true, extent);
          if (first < 0) {
            t.notThrows(probe);
            t.is(table.accesses[7], ids.filter((id) => id === 3).length);
            continue;
          }
          const { message } = t.throws(probe, { code: "E_INDEX" }) ?? {};
          t.is(message, `indices[${first}] = ${ids[first]} is not below the number of embeddings, ${extent}`);
          t.true(table.accesses.every((count) => count === 0));
        }
      },
    ),
    { numRuns: RUNS },
  );
});
