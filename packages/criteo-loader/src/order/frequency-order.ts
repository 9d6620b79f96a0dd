import type { SavedDictionary } from "../dictionary/dictionaries-file.ts";
import type { IdOrder } from "./id-order.ts";

/** Orders ids by their count in training rows, most frequent first; of equal ones the smaller raw value, unsigned. */
export const frequencyOrder: IdOrder = async (learned) => {
  const orders: Uint32Array[] = [];
  for (const column of learned.cardinalities.keys()) orders.push(placesByCount(await learned.dictionary(column)));
  return orders;
};

/** New index of each index. */
function placesByCount({ values, counts }: SavedDictionary): Uint32Array {
  const words = counts.length > 1 ? values.length / (counts.length - 1) : 1;
  const compare = (a: number, b: number): number => {
    if (counts[a] !== counts[b]) return counts[b] - counts[a];
    // Low word first in memory, so the last one counts most.
    for (let word = words - 1; word >= 0; word--) {
      const difference = values[(a - 1) * words + word] - values[(b - 1) * words + word];
      if (difference !== 0) return difference;
    }
    return 0;
  };
  const order = Uint32Array.from({ length: counts.length - 1 }, (_, k) => k + 1).sort(compare);
  const places = new Uint32Array(counts.length);
  for (const [place, index] of order.entries()) places[index] = place + 1;
  return places;
}
