import { TtError } from "@tt-rec/tensor";
import type { Plan } from "../embedding-bag.ts";

/** What a bag needs to know of its plans, hidden from their users and gone with them. */
export class PlanBook<T extends object> {
  readonly #details = new WeakMap<Plan, T>();

  /** Issues a plan. */
  issue(plan: Plan, details: T): Plan {
    this.#details.set(plan, details);
    return plan;
  }

  /** The details of a plan. Throws `E_OPTION` if another bag made it. */
  details(plan: Plan): T {
    const details = this.#details.get(plan);
    if (details === undefined) throw new TtError("E_OPTION", "the plan was made by another embedding bag");
    return details;
  }
}
