import { NO_ROW } from "@tt-rec/tt-kernels";
import { RowChooser } from "../src/row-chooser.ts";

/** Hits of the default cache if accesses are counted `ahead` steps before they come, as a loader that reads ahead could. */
export function hitsWithLookahead(batches: readonly Uint32Array[], cacheRows: number, ahead: number): number {
  const chooser = new RowChooser("resident", {}, cacheRows);
  let held: Uint32Array = new Uint32Array(0);
  let known = new Set<number>();
  let hits = 0;
  for (const batch of batches.slice(0, ahead)) chooser.observe(batch, batch.length);
  for (const [step, batch] of batches.entries()) {
    for (const id of batch) if (known.has(id)) hits++;
    const next = batches[step + ahead] ?? new Uint32Array(0);
    chooser.observe(next, next.length);
    const slots = { ids: held, slotsOf: (ids: Uint32Array) => ids.map((id) => (known.has(id) ? 0 : NO_ROW)) };
    const chosen = chooser.endStep(slots, false, () => new Uint32Array(0));
    if (chosen === undefined) continue;
    held = chosen.rows;
    known = new Set(held);
  }
  return hits;
}
