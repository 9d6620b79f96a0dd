import { TtError } from "@tt-rec/tensor";
import type { Plan } from "../embedding-bag.ts";
import type { Lookup } from "./lookup.ts";

/** What a bag needs to know of its plans, hidden from their users and gone with them. */
export class PlanBook<T extends { readonly uniqueRows: number }> {
  readonly #details = new WeakMap<Plan, T>();

  /** Issues a plan for a batch. Counting its distinct rows may mean sorting it, so that is left until somebody asks. */
  issue({ outputs, rows }: Lookup, batch: T): Plan {
    const plan: Plan = {
      outputs,
      lookups: rows.length,
      get uniqueRows() {
        return batch.uniqueRows;
      },
    };
    this.#details.set(plan, batch);
    return plan;
  }

  /** The details of a plan. Throws `E_OPTION` if another bag made it. */
  details(plan: Plan): T {
    const details = this.#details.get(plan);
    if (details === undefined) throw new TtError("E_OPTION", "the plan was made by another embedding bag");
    return details;
  }
}
