import { type HostTensor, type NamedTensors, type Runtime, type Tensor, TtError, type UpdateRule } from "@tt-rec/tensor";
import type { Bags, Plan, PlanMode, PreparedStep } from "./embedding-bag.ts";
import { applyTogether, forwardTogether, prepareTogether } from "./together.ts";
import { TTEmbeddingBag, type TTEmbeddingBagOptions } from "./tt-embedding-bag.ts";

/**
 * Many TT tables, of equal or different shapes, looked up and trained in one pass: their kernels run side by side, so that
 * small tables share the threads, and a step waits as often as one table's does (FBTT-Embedding's class of this name).
 */
export class TableBatchedTTEmbeddingBag {
  /** The tables, each a bag of its own. */
  readonly tables: readonly TTEmbeddingBag[];
  readonly #runtime: Runtime;

  /** Allocates the cores of all tables. Throws as `TTEmbeddingBag` does. */
  constructor(runtime: Runtime, tables: readonly TTEmbeddingBagOptions[]) {
    this.#runtime = runtime;
    this.tables = tables.map((options) => new TTEmbeddingBag(runtime, options));
  }

  /** All resident bytes: cores and optimizer state. */
  get bytes(): number {
    return this.tables.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Bytes of the cores alone. */
  get parameterBytes(): number {
    return this.tables.reduce((sum, { parameterBytes }) => sum + parameterBytes, 0);
  }

  /** Plans one batch a table. Throws `E_SHAPE` on another number of them, otherwise as a bag does. */
  plan(bags: readonly Bags[], mode: PlanMode): Plan[] {
    this.#checkCount("batches", bags.length);
    return this.tables.map((table, t) => table.plan(bags[t], mode));
  }

  /** Looks up and pools in every table: [outputs, D] each. */
  forward(plans: readonly Plan[]): Promise<Tensor[]> {
    this.#checkCount("plans", plans.length);
    return forwardTogether(this.#runtime, this.tables, plans);
  }

  /** A backward pass of all tables up to where parameters would change; the result stands for all of them. */
  async prepare(plans: readonly Plan[], gradients: readonly Tensor[]): Promise<PreparedStep> {
    this.#checkCount("plans", plans.length);
    this.#checkCount("gradients", gradients.length);
    const steps = await prepareTogether(this.#runtime, this.tables, plans, gradients);
    return {
      finite: steps.every(({ finite }) => finite),
      apply: (rule) =>
        applyTogether(
          this.#runtime,
          steps,
          steps.map(() => rule),
        ),
    };
  }

  /** `prepare` and `apply` in one. */
  async step(plans: readonly Plan[], gradients: readonly Tensor[], rule: UpdateRule): Promise<void> {
    await (await this.prepare(plans, gradients)).apply(rule);
  }

  /** Parameters and optimizer state of table t by `<t>.` and their names in the table. */
  async state(): Promise<NamedTensors> {
    const state = new Map<string, HostTensor>();
    for (const [t, table] of this.tables.entries()) {
      for (const [name, tensor] of await table.state()) state.set(`${t}.${name}`, tensor);
    }
    return state;
  }

  /** Replaces parameters and optimizer state. Throws `E_MISMATCH`; tables before the one that did not match are loaded by then. */
  async load(state: NamedTensors): Promise<void> {
    for (const name of state.keys()) {
      if (!/^\d+\./.test(name) || Number.parseInt(name, 10) >= this.tables.length) {
        throw new TtError("E_MISMATCH", `the state has the unknown tensor "${name}"`, { tensor: name });
      }
    }
    for (const [t, table] of this.tables.entries()) {
      const prefix = `${t}.`;
      const own = [...state].filter(([name]) => name.startsWith(prefix));
      await table.load(new Map(own.map(([name, tensor]) => [name.slice(prefix.length), tensor])));
    }
  }

  /** Frees all tables. */
  dispose(): void {
    for (const table of this.tables) table.dispose();
  }

  #checkCount(what: string, count: number): void {
    if (count !== this.tables.length) {
      throw new TtError("E_SHAPE", `there are ${count} ${what} for ${this.tables.length} tables`);
    }
  }
}
