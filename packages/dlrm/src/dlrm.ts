import {
  type HostTensor,
  type NamedTensors,
  type Rng,
  type Runtime,
  type Tensor,
  TtError,
  validateUpdateRule,
} from "@tt-rec/tensor";
import {
  applyTogether,
  type EmbeddingBag,
  forwardTogether,
  type Plan,
  type PreparedStep,
  prepareTogether,
} from "@tt-rec/tt-kernels";
import type { Batch } from "./batch.ts";
import { checkBatch } from "./check-batch.ts";
import { type DlrmConfig, validateDlrmConfig } from "./dlrm-config.ts";
import { createTable, type Table, type TTTableMaker } from "./embeddings/create-table.ts";
import { DotInteraction } from "./layers/dot-interaction.ts";
import { Mlp, type MlpTrace } from "./layers/mlp.ts";
import { type OptimizerConfig, updateRule } from "./optimizer.ts";

/** Options of `Dlrm`. */
export interface DlrmOptions {
  /** Makes the TT tables; default those of the runtime's engine. */
  readonly ttTables?: TTTableMaker;
}

/** What the forward pass leaves for the backward pass. */
interface Trace {
  readonly plans: readonly Plan[];
  readonly bottom: MlpTrace | undefined;
  /** The bottom MLP's output, if any, and one embedding a table. */
  readonly vectors: readonly Tensor[];
  readonly top: MlpTrace;
}

/**
 * The deep-learning recommendation model: bottom MLP on dense features, one embedding bag a categorical feature, dot
 * interaction of all of them, top MLP, and binary cross-entropy on its logit.
 */
export class Dlrm {
  /** The architecture. */
  readonly config: DlrmConfig;
  /** What computes: the runtime's engine, and that of the TT tables if it is another. */
  readonly engine: string;
  /** The tables, in the order of the batch's bags. */
  readonly tables: readonly Table[];
  readonly #runtime: Runtime;
  readonly #bottom: Mlp | undefined;
  readonly #top: Mlp;
  readonly #interaction: DotInteraction;

  /**
   * Draws all parameters; each table has a stream of its own, so that one table's choice does not move another's draw. Throws
   * `E_OPTION` if the configuration does not fit together, and what the tables throw.
   */
  constructor(runtime: Runtime, config: DlrmConfig, rng: Rng, { ttTables }: DlrmOptions = {}) {
    validateDlrmConfig(config);
    const { denseFeatures, embeddingDim, bottomMlp, topMlp, tables } = config;
    this.config = config;
    const { engine } = runtime.kernels;
    this.engine = ttTables === undefined ? engine : `${engine}, TT on ${ttTables.engine}`;
    this.#runtime = runtime;
    this.#bottom = denseFeatures > 0 ? new Mlp(runtime, "bottom", denseFeatures, bottomMlp, true, rng) : undefined;
    const vectors = tables.length + (denseFeatures > 0 ? 1 : 0);
    this.#interaction = new DotInteraction(runtime, vectors, embeddingDim, denseFeatures > 0);
    this.#top = new Mlp(runtime, "top", this.#interaction.outputWidth, topMlp, false, rng);
    let ahead = rng.jump();
    this.tables = tables.map((table) => {
      const stream = ahead;
      // Before the table draws from its stream, since a jump starts where the generator stands.
      ahead = stream.jump();
      return createTable(runtime, table, embeddingDim, stream, ttTables);
    });
  }

  /** Resident bytes of all tables, their optimizer state and caches included. */
  get embeddingBytes(): number {
    return this.tables.reduce((sum, { bag }) => sum + bag.bytes, 0);
  }

  /** Bytes of the tables as a deployed model needs them: parameters, and cached rows with their ids. */
  get embeddingParameterBytes(): number {
    return this.tables.reduce((sum, { bag }) => sum + bag.parameterBytes, 0);
  }

  /** Bytes of the MLPs and their optimizer state. */
  get mlpBytes(): number {
    return this.#denseParameters.reduce((sum, parameter) => sum + parameter.bytes, 0);
  }

  /** Logits [B] of a batch. Throws `E_SHAPE` or the tables' errors on a malformed batch. */
  async score(batch: Batch): Promise<Float32Array> {
    checkBatch(batch, this.config);
    return this.#runtime.step(async () => (await this.#forward(batch, false)).logits.data.slice());
  }

  /** Probabilities [B] of a click. Throws as `score` does. */
  async predict(batch: Batch): Promise<Float32Array> {
    checkBatch(batch, this.config);
    return this.#runtime.step(async () => {
      const { logits } = await this.#forward(batch, false);
      const probabilities = this.#runtime.rawScratch(logits.shape);
      await this.#runtime.kernels.sigmoid(logits, probabilities);
      return probabilities.data.slice();
    });
  }

  /**
   * One step of training on a batch; returns its mean loss before the update. Throws `E_NONFINITE`, naming the part,
   * if the loss or a gradient is not finite; then no parameter was written, but caches have counted the accesses.
   */
  async train(batch: Batch, optimizer: OptimizerConfig): Promise<number> {
    checkBatch(batch, this.config);
    const rules = { dense: updateRule(optimizer, "dense"), tt: updateRule(optimizer, "tt") };
    validateUpdateRule(rules.dense);
    validateUpdateRule(rules.tt);
    return this.#runtime.step(async () => {
      const { kernels } = this.#runtime;
      const { logits, trace } = await this.#forward(batch, true);
      const gradient = this.#runtime.rawScratch(logits.shape);
      const loss = await kernels.bceWithLogits(logits, batch.labels, gradient);
      if (!Number.isFinite(loss)) throw new TtError("E_NONFINITE", `the loss is ${loss}`);
      const steps = await this.#backward(trace, gradient);
      await this.#checkFinite(steps);
      await kernels.update(
        rules.dense,
        this.#denseParameters.map((parameter) => parameter.updateBy(rules.dense)),
      );
      await applyTogether(
        this.#runtime,
        steps,
        this.tables.map(({ kind }) => rules[kind]),
      );
      return loss;
    });
  }

  /** Parameters and optimizer state by name: `bottom.…`, `top.…`, `table.<name>.…`. The arrays may be views. */
  async state(): Promise<NamedTensors> {
    const state = new Map<string, HostTensor>(this.#denseParameters.flatMap((parameter) => parameter.entries()));
    for (const { name, bag } of this.tables) {
      for (const [key, tensor] of await bag.state()) state.set(tablePrefix(name) + key, tensor);
    }
    return state;
  }

  /**
   * Replaces parameters and optimizer state. Throws `E_MISMATCH` if the state is another model's; tables before the one
   * that did not match are loaded by then, so dispose the model.
   */
  async load(state: NamedTensors): Promise<void> {
    this.#checkNames(state);
    for (const parameter of this.#denseParameters) parameter.check(state);
    for (const { name, bag } of this.tables) {
      const prefix = tablePrefix(name);
      const own = [...state]
        .filter(([key]) => key.startsWith(prefix))
        .map(([key, tensor]) => [key.slice(prefix.length), tensor] as const);
      await bag.load(new Map(own));
    }
    for (const parameter of this.#denseParameters) parameter.load(state);
  }

  /** Frees all parameters. */
  dispose(): void {
    for (const parameter of this.#denseParameters) parameter.dispose();
    for (const { bag } of this.tables) bag.dispose();
  }

  get #bags(): EmbeddingBag[] {
    return this.tables.map(({ bag }) => bag);
  }

  get #denseParameters() {
    return [...(this.#bottom?.parameters ?? []), ...this.#top.parameters];
  }

  async #forward(batch: Batch, training: boolean): Promise<{ logits: Tensor; trace: Trace }> {
    const plans = this.tables.map(({ bag }, t) => bag.plan(batch.bags[t], { training }));
    const vectors: Tensor[] = [];
    let bottom: MlpTrace | undefined;
    if (this.#bottom !== undefined) {
      const dense = this.#runtime.rawScratch([batch.size, this.config.denseFeatures]);
      dense.data.set(batch.dense);
      bottom = await this.#bottom.forward(dense);
      vectors.push(bottom[bottom.length - 1]);
    }
    vectors.push(...(await forwardTogether(this.#runtime, this.#bags, plans)));
    const top = await this.#top.forward(await this.#interaction.forward(vectors));
    return { logits: top[top.length - 1].reshape([batch.size]), trace: { plans, bottom, vectors, top } };
  }

  async #backward({ plans, bottom, vectors, top }: Trace, gradient: Tensor): Promise<PreparedStep[]> {
    const columns = gradient.reshape([gradient.size, 1]);
    const interacted = (await this.#top.backward(top, columns, true)) ?? columns;
    const vectorGradients = await this.#interaction.backward(vectors, interacted);
    if (this.#bottom === undefined || bottom === undefined) {
      return prepareTogether(this.#runtime, this.#bags, plans, vectorGradients);
    }
    const [dense, ...embeddings] = vectorGradients;
    await this.#bottom.backward(bottom, dense, false);
    return prepareTogether(this.#runtime, this.#bags, plans, embeddings);
  }

  #checkNames(state: NamedTensors): void {
    const known = new Set(this.#denseParameters.flatMap(({ stateNames }) => stateNames));
    const prefixes = this.tables.map(({ name }) => tablePrefix(name));
    for (const name of state.keys()) {
      if (!known.has(name) && !prefixes.some((prefix) => name.startsWith(prefix))) {
        throw new TtError("E_MISMATCH", `the state has the unknown tensor "${name}"`, { tensor: name });
      }
    }
  }

  async #checkFinite(steps: readonly PreparedStep[]): Promise<void> {
    for (const [t, { finite }] of steps.entries()) {
      const { name } = this.tables[t];
      if (!finite) throw new TtError("E_NONFINITE", `the gradient of table ${name} is not finite`, { tensor: name });
    }
    const parameters = this.#denseParameters;
    const sums = await this.#runtime.kernels.sumsOfSquares(parameters.map(({ gradient }) => gradient));
    const bad = parameters.find((_, i) => !Number.isFinite(sums[i]));
    if (bad !== undefined) throw new TtError("E_NONFINITE", `the gradient of ${bad.name} is not finite`, { tensor: bad.name });
  }
}

function tablePrefix(name: string): string {
  return `table.${name}.`;
}
