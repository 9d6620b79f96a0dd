import { createRng } from "@tt-rec/tensor";
import { NO_ROW } from "@tt-rec/tt-kernels";
import test from "ava";
import { resolvePolicy } from "../src/cache-policy.ts";
import { readProgress, writeProgress } from "../src/choice-state.ts";
import type { Slots } from "../src/entering.ts";
import { type CachePolicyName, type RowCounter, SetCounter } from "../src/index.ts";
import { type ChoiceProgress, type ChosenRows, RowChoice } from "../src/row-choice.ts";
import { RowChooser } from "../src/row-chooser.ts";

const NAMES: readonly CachePolicyName[] = ["resident", "semi-dynamic", "static"];

/** Slots that hold every third id, and what was counted. */
function slotsOf(capacity: number): Slots & { readonly accesses: Uint32Array } {
  const ids = Uint32Array.from({ length: capacity }, (_, slot) => (slot % 7 === 3 ? NO_ROW : 3 * slot));
  const slots = new Map([...ids.entries()].map(([slot, id]) => [id, slot]));
  return {
    ids,
    accesses: ids.map((id, slot) => (id === NO_ROW ? 0 : slot % 11)),
    slotsOf: (asked) => asked.map((id) => slots.get(id) ?? NO_ROW),
  };
}

function counted(counter: RowCounter): void {
  const { uniform } = createRng(3);
  for (let i = 0; i < 1500; i++) {
    counter.addEach(Uint32Array.of(Math.floor(uniform() ** 2 * 1500)), Uint32Array.of(1 + Math.floor(9 * uniform())));
  }
}

test("rows that are chosen piece by piece, or by a choice resumed at every piece, are those that are chosen at once", (t) => {
  const capacity = 211;
  for (const name of NAMES) {
    const policy = resolvePolicy(name);
    for (const candidates of [undefined, Uint32Array.of(1, 2, 3, 5)]) {
      const results: [ChosenRows, unknown][] = [1e9, 1, 1500].map((budget) => {
        const counter = policy.createCounter(capacity);
        counted(counter);
        const slots = slotsOf(capacity);
        const basis = { policy, capacity, counter, ...(candidates && { candidates }) };
        let choice = new RowChoice(basis, { hasMoved: true, accesses: slots.accesses, counted: 0, pieces: 0 });
        for (let step = 1; ; step++) {
          const finished = choice.advance(slots, budget);
          if (finished !== undefined) {
            const { spare, ...chosen } = finished;
            t.true(spare >= 0 && spare <= 1);
            t.true(step > 3 || budget > 1500 || name === "static", `${step} steps`);
            return [chosen, counter.state()];
          }
          const saved = readProgress(new Map(writeProgress(choice.progress)), capacity, 3 * capacity + 1500);
          choice = new RowChoice(basis, saved as ChoiceProgress);
        }
      });
      t.true(results[0][0].rows.length > 0);
      for (const result of results.slice(1)) t.deepEqual(result, results[0]);
    }
  }
});

test("a chooser counts what comes during a choice later, and one resumed in any step goes on alike", (t) => {
  const capacity = 10_007;
  const batchOf = (step: number): Uint32Array => {
    const { uniform } = createRng(5, step);
    return Uint32Array.from({ length: 3000 }, () => Math.floor(uniform() ** 4 * 60_000));
  };
  const slots = { ids: new Uint32Array(0), slotsOf: (ids: Uint32Array) => new Uint32Array(ids.length).fill(NO_ROW) };
  const run = (chooser: RowChooser, begin: number, end: number): number[] => {
    const chosen: number[] = [];
    for (let step = begin; step < end; step++) {
      const batch = batchOf(step);
      chooser.observe(batch, batch.length);
      const found = chooser.endStep(slots, false, () => new Uint32Array(0));
      if (found !== undefined) chosen.push(step, ...found.rows.subarray(0, 20));
    }
    return chosen;
  };
  const whole = new RowChooser("resident", { warmupSteps: 5 }, capacity);
  const expected = run(whole, 0, 24);
  t.true(expected.length > 0 && expected[0] > 4, `the first choice ended in step ${expected[0]}`);
  let underWay = 0;
  for (const stop of [4, 5, 6, 7, 8, 11]) {
    const first = new RowChooser("resident", { warmupSteps: 5 }, capacity);
    const chosen = run(first, 0, stop);
    const saved = first.state();
    underWay += Number(saved.has("cache.choice"));
    const second = new RowChooser("resident", { warmupSteps: 5 }, capacity);
    second.load(saved, 60_000);
    t.deepEqual(second.state(), saved);
    t.is(second.bytes, first.bytes);
    t.deepEqual([...chosen, ...run(second, stop, 24)], expected);
    t.deepEqual(second.state(), whole.state());
  }
  t.true(underWay >= 1);
});

test("aging changes nothing before its end", (t) => {
  const counter = new SetCounter(3000);
  counted(counter);
  const before = counter.state();
  const work = counter.aging();
  for (let piece = work.next(); !piece.done; piece = work.next()) t.deepEqual(counter.state(), before);
  t.notDeepEqual(counter.state(), before);
});

test("a refresh that is due during another begins right after it, in a resumed chooser too", (t) => {
  const capacity = 10_007;
  const schedule = { warmupSteps: 1, refreshEvery: 6 };
  const slots = { ids: new Uint32Array(0), slotsOf: (ids: Uint32Array) => new Uint32Array(ids.length).fill(NO_ROW) };
  const batch = Uint32Array.from({ length: 30_000 }, (_, i) => i);
  let chooser = new RowChooser("resident", schedule, capacity);
  const begins: number[] = [];
  for (let step = 1; step <= 26; step++) {
    chooser.observe(step === 1 ? batch : new Uint32Array(0), 1);
    chooser.endStep(slots, step >= 4 && step <= 9, () => {
      begins.push(step);
      return new Uint32Array(0);
    });
    const saved = chooser.state();
    chooser = new RowChooser("resident", schedule, capacity);
    chooser.load(saved, 30_000);
  }
  // That of step 6 waits until rows have entered; those of 12 and 18 for the end of the choice before.
  t.deepEqual(begins, [1, 10, 17, 24]);
});
