import { TtError } from "@tt-rec/tensor";
import type { OverlaidPlan, Plan } from "../embedding-bag.ts";
import type { Lookup } from "./lookup.ts";

/** The distinct rows of a batch, counted when somebody asks. */
interface CountedRows {
  readonly uniqueRows: number;
  /** Those that are laid over the table. Absent: none. */
  readonly uniqueLaid?: number;
}

/** What a bag needs to know of its plans, hidden from their users and gone with them. */
export class PlanBook<T extends CountedRows> {
  /** Issues a plan for a batch. Counting its distinct rows may mean sorting it, so that is left until somebody asks. */
  issue({ outputs, rows }: Pick<Lookup, "outputs" | "rows">, batch: T): OverlaidPlan {
    return new IssuedPlan(this, outputs, rows.length, batch);
  }

  /** The details of a plan. Throws `E_OPTION` if another bag made it. */
  details(plan: Plan): T {
    const batch = IssuedPlan.batchOf(plan, this);
    if (batch === undefined) throw new TtError("E_OPTION", "the plan was made by another embedding bag");
    return batch;
  }
}

/** A plan that carries its batch in private fields: a weak map of plans, of which every step makes one, burdens the garbage collector. */
class IssuedPlan<T extends CountedRows> implements OverlaidPlan {
  readonly outputs: number;
  readonly lookups: number;
  readonly #book: PlanBook<T>;
  readonly #batch: T;

  constructor(book: PlanBook<T>, outputs: number, lookups: number, batch: T) {
    this.outputs = outputs;
    this.lookups = lookups;
    this.#book = book;
    this.#batch = batch;
  }

  get uniqueRows(): number {
    return this.#batch.uniqueRows;
  }

  get uniqueLaid(): number {
    return this.#batch.uniqueLaid ?? 0;
  }

  /** The batch of a plan, if it was issued from this book. */
  static batchOf<T extends CountedRows>(plan: Plan, book: PlanBook<T>): T | undefined {
    const issued = plan as IssuedPlan<T>;
    return #book in plan && issued.#book === book ? issued.#batch : undefined;
  }
}
