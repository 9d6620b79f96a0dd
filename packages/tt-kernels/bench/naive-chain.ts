import { coreShape, rowDigits, type TTShape } from "@tt-rec/tt-math";

/** The lookups of a batch; sum pooling, no weights. */
export interface ChainBatch {
  /** Row ids of all bags. */
  readonly indices: Uint32Array;
  /** Start of each bag and the number of ids. */
  readonly offsets: Uint32Array;
}

/**
 * The rival: what FBTT-Embedding does, in plain TypeScript. Every lookup goes through the whole chain, equal ids or not;
 * the backward pass computes the products again, adds to full-size core gradients, and SGD runs over all entries.
 */
export class NaiveChain {
  readonly #shape: TTShape;
  readonly #cores: Float32Array[];
  readonly #gradients: Float32Array[];
  /** Products of one lookup by level, and their gradients. */
  readonly #products: Float32Array[];
  readonly #productGradients: Float32Array[];

  constructor(shape: TTShape, cores: readonly Float32Array[]) {
    this.#shape = shape;
    this.#cores = cores.map((core) => core.slice());
    this.#gradients = cores.map((core) => new Float32Array(core.length));
    let columns = 1;
    const sizes = shape.columnShape.map((q, k) => {
      columns *= q;
      return columns * shape.ranks[k + 1];
    });
    this.#products = sizes.map((size) => new Float32Array(size));
    this.#productGradients = sizes.map((size) => new Float32Array(size));
  }

  /** Looks up and sums each bag: [B, D]. */
  forward({ indices, offsets }: ChainBatch): Float32Array {
    const dim = this.#shape.embeddingDim;
    const out = new Float32Array((offsets.length - 1) * dim);
    for (let bag = 0; bag + 1 < offsets.length; bag++) {
      for (let p = offsets[bag]; p < offsets[bag + 1]; p++) {
        this.#row(rowDigits(indices[p], this.#shape.rowShape));
        const row = this.#products[this.#products.length - 1];
        for (let j = 0; j < dim; j++) out[bag * dim + j] += row[j];
      }
    }
    return out;
  }

  /** Gradients of all lookups, then one step of SGD. */
  step({ indices, offsets }: ChainBatch, gradient: Float32Array, learningRate: number): void {
    const dim = this.#shape.embeddingDim;
    for (const core of this.#gradients) core.fill(0);
    for (let bag = 0; bag + 1 < offsets.length; bag++) {
      for (let p = offsets[bag]; p < offsets[bag + 1]; p++) {
        const digits = rowDigits(indices[p], this.#shape.rowShape);
        this.#row(digits);
        this.#productGradients[digits.length - 1].set(gradient.subarray(bag * dim, (bag + 1) * dim));
        for (let k = digits.length - 1; k > 0; k--) this.#back(k, digits[k]);
        const first = this.#productGradients[0];
        const start = digits[0] * first.length;
        for (let j = 0; j < first.length; j++) this.#gradients[0][start + j] += first[j];
      }
    }
    for (const [k, core] of this.#cores.entries()) {
      const gradients = this.#gradients[k];
      for (let i = 0; i < core.length; i++) core[i] -= learningRate * gradients[i];
    }
  }

  #row(digits: readonly number[]): void {
    const first = this.#products[0];
    first.set(this.#cores[0].subarray(digits[0] * first.length, (digits[0] + 1) * first.length));
    for (let k = 1; k < digits.length; k++) {
      const [, rank, q, right] = coreShape(this.#shape, k);
      const [core, from, to] = [this.#cores[k], this.#products[k - 1], this.#products[k]];
      const n = q * right;
      const slice = digits[k] * rank * n;
      to.fill(0);
      for (let i = 0; i * rank < from.length; i++) {
        for (let r = 0; r < rank; r++) {
          const x = from[i * rank + r];
          for (let j = 0; j < n; j++) to[i * n + j] += x * core[slice + r * n + j];
        }
      }
    }
  }

  /** Adds to core k's gradient, and takes the gradient of the product at level k one level down. */
  #back(k: number, digit: number): void {
    const [, rank, q, right] = coreShape(this.#shape, k);
    const n = q * right;
    const slice = digit * rank * n;
    const [core, coreGradient] = [this.#cores[k], this.#gradients[k]];
    const [product, above, below] = [this.#products[k - 1], this.#productGradients[k], this.#productGradients[k - 1]];
    for (let i = 0; i * rank < product.length; i++) {
      for (let r = 0; r < rank; r++) {
        const x = product[i * rank + r];
        let sum = 0;
        for (let j = 0; j < n; j++) {
          const g = above[i * n + j];
          coreGradient[slice + r * n + j] += x * g;
          sum += core[slice + r * n + j] * g;
        }
        below[i * rank + r] = sum;
      }
    }
  }
}
