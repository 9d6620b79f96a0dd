import test from "ava";
import fc from "fast-check";
import { Arena } from "../src/engine/arena.ts";
import { Heap } from "../src/engine/heap.ts";

const RUNS = process.env.TT_REC_LONG ? 1000 : 50;

interface Block {
  readonly offset: number;
  readonly byteLength: number;
}

test("blocks are disjoint and aligned, and freed bytes serve again", (t) => {
  const commands = fc.array(fc.record({ free: fc.boolean(), pick: fc.nat(), size: fc.integer({ min: 0, max: 5000 }) }), {
    maxLength: 80,
  });
  fc.assert(
    fc.property(commands, (list) => {
      const heap = new Heap();
      const start = heap.allocate(1);
      heap.free(start, 1);
      const held: Block[] = [];
      for (const { free, pick, size } of list) {
        if (free && held.length > 0) {
          const [block] = held.splice(pick % held.length, 1);
          heap.free(block.offset, block.byteLength);
          continue;
        }
        const block = { offset: heap.allocate(size), byteLength: size };
        t.is(block.offset % 64, 0);
        for (const other of held) {
          t.true(
            block.offset + Math.max(1, size) <= other.offset || other.offset + Math.max(1, other.byteLength) <= block.offset,
          );
        }
        held.push(block);
      }
      for (const { offset, byteLength } of held) heap.free(offset, byteLength);
      t.is(heap.allocate(1), start, "all free blocks were joined again");
    }),
    { numRuns: RUNS },
  );
});

test("zeroed blocks are zero, whoever wrote there before", (t) => {
  const heap = new Heap();
  const first = heap.allocate(1000);
  heap.bytes.fill(7, first, first + 1000);
  heap.free(first, 1000);
  const again = heap.allocateZeroed(3000);
  t.is(again, first);
  t.true(heap.bytes.subarray(again, again + 3000).every((byte) => byte === 0));
});

test("the heap grows, and its views follow", (t) => {
  const heap = new Heap();
  const before = heap.floats;
  const offset = heap.allocate(30_000_001);
  t.true(heap.floats.length > before.length);
  heap.bytes[offset + 30_000_000] = 9;
  t.is(new Uint8Array(heap.buffer)[offset + 30_000_000], 9);
});

test("offsets beyond 2 GiB are addressed without a sign", (t) => {
  const heap = new Heap();
  const large = heap.allocate(2 ** 31);
  const offset = heap.allocate(12);
  t.true(offset > 2 ** 31);
  heap.words.set([1, 2, 3], offset / 4);
  t.deepEqual([...new Uint32Array(heap.buffer, offset, 3)], [1, 2, 3]);
  heap.free(offset, 12);
  heap.free(large, 2 ** 31);
});

test("more than 4 GiB are not to be had, and say so", (t) => {
  const heap = new Heap();
  const error = t.throws(() => heap.allocate(2 ** 32), { code: "E_MEMORY" });
  t.is(error.message, "4294967296 bytes for a tensor are not to be had");
  t.true(heap.allocate(8) > 0, "the heap is usable after that");
});

test("an arena hands out disjoint bytes and takes no more in a steady state", (t) => {
  const heap = new Heap();
  const arena = new Arena(heap);
  t.is(arena.bytes, 0);
  const sizes = [1, 800_000, 17, 2_800_000, 3, 800_000];
  const use = (): number[] => sizes.map((size) => arena.reserve(size));
  const first = use();
  for (const [i, a] of first.entries()) {
    for (const [j, b] of first.entries()) t.true(i === j || a + sizes[i] <= b || b + sizes[j] <= a);
  }
  const { bytes } = arena;
  for (let i = 0; i < 9; i++) {
    arena.reset(false);
    t.deepEqual(use(), first);
  }
  t.is(arena.bytes, bytes);
});
