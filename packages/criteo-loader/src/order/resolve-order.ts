import { frequencyOrder } from "./frequency-order.ts";
import type { IdOrder, IdOrderName } from "./id-order.ts";
import { type RowShape, similarityOrder } from "./similarity-order.ts";

/** The order of a name; undefined if indices stay as they were learned or hashed. */
export function resolveOrder(name: IdOrderName, rowShape: RowShape | undefined): IdOrder | undefined {
  if (name === "frequency") return frequencyOrder;
  return name === "similarity" && rowShape !== undefined ? similarityOrder({ rowShape }) : undefined;
}
