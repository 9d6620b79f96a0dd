import { type HostTensor, type NamedTensors, type Rng, type Runtime, type Tensor, TtError } from "@tt-rec/tensor";
import {
  applyTogether,
  type EmbeddingBag,
  forwardTogether,
  type Plan,
  type PreparedStep,
  sortTogether,
} from "@tt-rec/tt-kernels";
import type { Batch } from "./batch.ts";
import { checkBatch } from "./check-batch.ts";
import { DenseLayers } from "./dense-layers.ts";
import { type DlrmConfig, validateDlrmConfig } from "./dlrm-config.ts";
import { createTable, type Table, type TTTableMaker } from "./embeddings/create-table.ts";
import { prepareMeasured, prepareTables } from "./embeddings/prepare-tables.ts";
import { addTo } from "./layers/add-to.ts";
import {
  clipFactor,
  decayWeights,
  type OptimizerConfig,
  type PartRules,
  partRules,
  scaled,
  validateOptimizer,
} from "./optimizer.ts";
import { type StepProfile, timed } from "./step-profile.ts";

/** Options of `Dlrm`. */
export interface DlrmOptions {
  /** Makes the TT tables; default those of the runtime's engine. */
  readonly ttTables?: TTTableMaker;
  /** Accesses of each row of each table in the training rows, in the order of the configuration; caches start with them. */
  readonly accessCounts?: readonly ArrayLike<number>[];
  /** Measures the parts of training steps; the tables' forward passes then follow one another by kind, which takes a little longer. */
  readonly profile?: StepProfile;
}

/** Options of a training step. */
export interface TrainStepOptions {
  /** Number of the step, from 1: what schedules and Adam go by. Default 1. */
  readonly step?: number;
  /**
   * Samples that go through the dense layers at a time; the gradient is that of the whole batch, accumulated. Less memory for
   * activations, which a large batch needs most of. Default: all.
   */
  readonly microBatch?: number;
}

/** A batch on its way through the tables. */
interface LookedUp {
  readonly plans: readonly Plan[];
  /** One embedding a table [B, D]. */
  readonly embeddings: readonly Tensor[];
}

/**
 * The deep-learning recommendation model: bottom MLP on dense features, one embedding bag a categorical feature, an
 * interaction of all of them, top MLP, and binary cross-entropy on its logit.
 */
export class Dlrm {
  /** The architecture. */
  readonly config: DlrmConfig;
  /** What computes: the runtime's engine, and that of the TT tables if it is another. */
  readonly engine: string;
  /** The tables, in the order of the batch's bags, without those of removed columns. */
  readonly tables: readonly Table[];
  readonly #runtime: Runtime;
  readonly #layers: DenseLayers;
  readonly #profile: StepProfile | undefined;

  /**
   * Draws all parameters; each table has a stream of its own, so that one table's choice does not move another's draw. Throws
   * `E_OPTION` if the configuration does not fit together, and what the tables throw.
   */
  constructor(runtime: Runtime, config: DlrmConfig, rng: Rng, options: DlrmOptions = {}) {
    const { ttTables: maker, profile, accessCounts } = options;
    validateDlrmConfig(config);
    this.config = config;
    const { engine } = runtime.kernels;
    this.engine = maker === undefined ? engine : `${engine}, TT on ${maker.engine}`;
    this.#runtime = runtime;
    this.#profile = profile;
    this.#layers = new DenseLayers(runtime, config, rng, profile);
    let ahead = rng.jump();
    this.tables = config.tables.flatMap((table, column) => {
      const stream = ahead;
      // Before the table draws from its stream, since a jump starts where the generator stands.
      ahead = stream.jump();
      const place = { runtime, embeddingDim: config.embeddingDim, rng: stream, maker, accessCounts: accessCounts?.[column] };
      return createTable(place, table, column) ?? [];
    });
  }

  /** Resident bytes of all tables, their optimizer state and caches included. */
  get embeddingBytes(): number {
    return this.tables.reduce((sum, { bag }) => sum + bag.bytes, 0);
  }

  /** Bytes of the tables as a deployed model needs them: parameters, cached rows with their ids, and index tables. */
  get embeddingParameterBytes(): number {
    return this.tables.reduce((sum, { bag }) => sum + bag.parameterBytes, 0);
  }

  /** Bytes of the dense layers and their optimizer state. */
  get mlpBytes(): number {
    return this.#layers.parameters.reduce((sum, parameter) => sum + parameter.bytes, 0);
  }

  /** Logits [B] of a batch. Throws `E_SHAPE` or the tables' errors on a malformed batch. */
  async score(batch: Batch): Promise<Float32Array> {
    checkBatch(batch, this.config);
    return this.#runtime.step(async () => (await this.#logits(batch)).data.slice());
  }

  /** Probabilities [B] of a click. Throws as `score` does. */
  async predict(batch: Batch): Promise<Float32Array> {
    checkBatch(batch, this.config);
    return this.#runtime.step(async () => {
      const logits = await this.#logits(batch);
      await this.#runtime.kernels.sigmoid(logits, logits);
      return logits.data.slice();
    });
  }

  /**
   * One step of training on a batch; returns its mean loss before the update. Throws `E_NONFINITE`, naming the part,
   * if the loss or a gradient is not finite; then no parameter was written, but caches have counted the accesses.
   */
  async train(
    batch: Batch,
    optimizer: OptimizerConfig,
    { step = 1, microBatch = batch.size }: TrainStepOptions = {},
  ): Promise<number> {
    checkBatch(batch, this.config);
    validateOptimizer(optimizer);
    for (const [name, value, least] of [
      ["step", step, 1] as const,
      ["microBatch", microBatch, batch.size > 0 ? 1 : 0] as const,
    ]) {
      if (!(Number.isSafeInteger(value) && value >= least))
        throw new TtError("E_OPTION", `${name} = ${value} is not a whole number of at least ${least}`);
    }
    return this.#runtime.step(async () => {
      const { plans, embeddings } = await this.#lookUp(batch, true);
      const gradients = embeddings.map(({ shape }) => this.#runtime.rawScratch(shape));
      const loss = await this.#trainDense(batch, embeddings, gradients, microBatch);
      if (!Number.isFinite(loss)) throw await this.#nonFiniteLoss(loss, embeddings);
      const { embeddingL2 = 0 } = optimizer;
      if (embeddingL2 > 0 && batch.size > 0) {
        for (const [t, e] of embeddings.entries()) await addTo(this.#runtime.kernels, gradients[t], e, embeddingL2 / batch.size);
      }
      await this.#update(plans, gradients, optimizer, partRules(optimizer, step));
      return loss;
    });
  }

  /** Parameters and optimizer state by name: `bottom.…`, `cross.…`, `top.…`, `table.<name>.…`. The arrays may be views. */
  async state(): Promise<NamedTensors> {
    const state = new Map<string, HostTensor>(this.#layers.parameters.flatMap((parameter) => parameter.entries()));
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
    for (const parameter of this.#layers.parameters) parameter.check(state);
    for (const { name, bag } of this.tables) {
      const prefix = tablePrefix(name);
      const own = [...state]
        .filter(([key]) => key.startsWith(prefix))
        .map(([key, tensor]) => [key.slice(prefix.length), tensor] as const);
      await bag.load(new Map(own));
    }
    for (const parameter of this.#layers.parameters) parameter.load(state);
  }

  /** Frees all parameters. */
  dispose(): void {
    for (const parameter of this.#layers.parameters) parameter.dispose();
    for (const { bag } of this.tables) bag.dispose();
  }

  get #bags(): EmbeddingBag[] {
    return this.tables.map(({ bag }) => bag);
  }

  async #logits(batch: Batch): Promise<Tensor> {
    const { embeddings } = await this.#lookUp(batch, false);
    return this.#layers.score({ ...batch, embeddings });
  }

  async #lookUp({ bags }: Batch, training: boolean): Promise<LookedUp> {
    const profile = training ? this.#profile : undefined;
    const planAll = (): Plan[] => this.tables.map(({ bag, column }) => bag.plan(bags[column], { training }));
    if (profile === undefined) {
      const plans = planAll();
      return { plans, embeddings: await forwardTogether(this.#runtime, this.#bags, plans) };
    }
    const plans = await profile.time("plan", async () => {
      const planned = planAll();
      await sortTogether(this.#runtime, this.#bags, planned);
      return planned;
    });
    const embeddings = new Array<Tensor>(plans.length);
    for (const part of ["uncompressed tables", "TT tables", "cached tables"] as const) {
      const own = this.tables.flatMap((table, t) => (partOf(table) === part ? [t] : []));
      if (own.length === 0) continue;
      const outputs = await profile.time(part, () =>
        forwardTogether(
          this.#runtime,
          own.map((t) => this.tables[t].bag),
          own.map((t) => plans[t]),
        ),
      );
      for (const [i, t] of own.entries()) embeddings[t] = outputs[i];
    }
    return { plans, embeddings };
  }

  /** Loss of the batch, and gradients of embeddings and dense parameters, from some samples at a time. */
  async #trainDense(
    batch: Batch,
    embeddings: readonly Tensor[],
    gradients: readonly Tensor[],
    microBatch: number,
  ): Promise<number> {
    const { size, labels, dense } = batch;
    if (microBatch >= size) return this.#layers.train({ ...batch, embeddings }, size, gradients);
    const { parameters } = this.#layers;
    for (const parameter of parameters) parameter.beginSum();
    let loss = 0;
    for (let start = 0; start < size; start += microBatch) {
      const count = Math.min(microBatch, size - start);
      const part = <T extends Float32Array>(values: T): Float32Array => {
        const width = values.length / size;
        return values.subarray(start * width, (start + count) * width);
      };
      const rows = (tensors: readonly Tensor[]): Tensor[] => tensors.map((tensor) => tensor.rows(start, count));
      const input = { size: count, labels: part(labels), dense: part(dense), embeddings: rows(embeddings) };
      await this.#runtime.scope(async () => {
        loss += await this.#layers.train(input, size, rows(gradients));
        if (Number.isFinite(loss)) for (const parameter of parameters) await parameter.addToSum();
      });
      if (!Number.isFinite(loss)) return loss;
    }
    for (const parameter of parameters) parameter.endSum();
    return loss;
  }

  /** Checks all gradients, and then writes parameters. */
  async #update(
    plans: readonly Plan[],
    gradients: readonly Tensor[],
    optimizer: OptimizerConfig,
    rules: PartRules,
  ): Promise<void> {
    const { kernels } = this.#runtime;
    const { parameters } = this.#layers;
    const measured = optimizer.clipNorm !== undefined;
    const prepare = measured ? prepareMeasured : prepareTables;
    const { steps, sumOfSquares } = await timed(this.#profile, "tables backward", () =>
      prepare(this.#runtime, this.#bags, plans, gradients),
    );
    const squares = await timed(this.#profile, "finiteness", () => this.#checkFinite(steps));
    const factor = clipFactor(optimizer, sumOfSquares + squares);
    const { dense, rows, cores, cached } = scaled(rules, factor);
    await timed(this.#profile, "update", async () => {
      await decayWeights(kernels, optimizer, parameters, factor);
      await kernels.update(
        dense,
        parameters.map((parameter) => parameter.updateBy(dense)),
      );
      const groups = { rows, cores };
      await applyTogether(
        this.#runtime,
        steps,
        this.tables.map(({ group }) => groups[group]),
        cached,
      );
    });
  }

  /** Throws `E_NONFINITE` with the name of a part whose gradient is not finite; returns the sum of squares of dense gradients. */
  async #checkFinite(steps: readonly PreparedStep[]): Promise<number> {
    for (const [t, { finite }] of steps.entries()) {
      const { name } = this.tables[t];
      if (!finite) throw new TtError("E_NONFINITE", `the gradient of table ${name} is not finite`, { tensor: name });
    }
    const { parameters } = this.#layers;
    const sums = await this.#runtime.kernels.sumsOfSquares(parameters.map(({ gradient }) => gradient));
    const bad = parameters.find((_, i) => !Number.isFinite(sums[i]));
    if (bad !== undefined) throw new TtError("E_NONFINITE", `the gradient of ${bad.name} is not finite`, { tensor: bad.name });
    return sums.reduce((a, b) => a + b, 0);
  }

  /** The error for a loss that is not finite: it names the table whose rows are not, if there is one. */
  async #nonFiniteLoss(loss: number, embeddings: readonly Tensor[]): Promise<TtError> {
    const sums = await this.#runtime.kernels.sumsOfSquares(embeddings);
    const table = this.tables.find((_, t) => !Number.isFinite(sums[t]));
    if (table === undefined) return new TtError("E_NONFINITE", `the loss is ${loss}`);
    const { name } = table;
    return new TtError("E_NONFINITE", `the loss is ${loss}, and rows of table ${name} are not finite`, { tensor: name });
  }

  #checkNames(state: NamedTensors): void {
    const known = new Set(this.#layers.parameters.flatMap(({ stateNames }) => stateNames));
    const prefixes = this.tables.map(({ name }) => tablePrefix(name));
    for (const name of state.keys()) {
      if (!known.has(name) && !prefixes.some((prefix) => name.startsWith(prefix))) {
        throw new TtError("E_MISMATCH", `the state has the unknown tensor "${name}"`, { tensor: name });
      }
    }
  }
}

/** The part of a step that a table's forward pass belongs to. */
function partOf({ group, cache }: Table): "uncompressed tables" | "TT tables" | "cached tables" {
  if (cache !== undefined) return "cached tables";
  return group === "cores" ? "TT tables" : "uncompressed tables";
}

function tablePrefix(name: string): string {
  return `table.${name}.`;
}
