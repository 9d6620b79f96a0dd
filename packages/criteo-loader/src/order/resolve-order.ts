import type { IdOrder, IdOrderName } from "./id-order.ts";

const ORDERS: Readonly<Record<IdOrderName, IdOrder | undefined>> = {
  // What learning gives already.
  "first-seen": undefined,
};

/** The order of a name; undefined if indices stay as they were learned. */
export function resolveOrder(name: IdOrderName): IdOrder | undefined {
  return ORDERS[name];
}
