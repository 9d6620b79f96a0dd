import { rowDigits, type TTShape } from "@tt-rec/tt-math";
import type { ChainBatch } from "./naive-chain.ts";

/** What is used of gpu.js, which need not be installed. */
interface GpuJs {
  readonly GPU: new (options: {
    readonly mode: string;
  }) => {
    createKernel(
      body: (this: { readonly thread: { readonly x: number; readonly y: number } }, ...args: never[]) => number,
      options: object,
    ): (...args: unknown[]) => unknown;
  };
}

/** The rows of a batch in gpu.js, forward only: a thread an element, which goes through the whole chain. */
export class GpuJsChain {
  readonly #run: (...args: unknown[]) => unknown;
  readonly #shape: TTShape;
  readonly #cores: readonly Float32Array[];

  /** Makes the chain in a mode of gpu.js (`webasm`, `cpu`), or undefined where gpu.js or the mode is missing. */
  static async create(
    mode: string,
    shape: TTShape,
    cores: readonly Float32Array[],
    lookups: number,
  ): Promise<GpuJsChain | undefined> {
    // A name that the compiler does not follow: the package is not a dependency.
    const name: string = "gpu.js";
    const library = (await import(name).catch(() => undefined)) as (GpuJs & { readonly default?: GpuJs }) | undefined;
    if (library === undefined) return undefined;
    const { GPU } = library.default ?? library;
    try {
      return new GpuJsChain(new GPU({ mode }), shape, cores, lookups);
    } catch {
      return undefined;
    }
  }

  private constructor(gpu: InstanceType<GpuJs["GPU"]>, shape: TTShape, cores: readonly Float32Array[], lookups: number) {
    const [, rank1, rank2] = shape.ranks;
    const [q1, q2, q3] = shape.columnShape;
    const kernel = function (
      this: { readonly thread: { readonly x: number; readonly y: number }; readonly constants: Readonly<Record<string, number>> },
      first: number[],
      second: number[],
      third: number[],
      digits: number[],
    ): number {
      const row = this.thread.y;
      const { q2, q3, rank1, rank2 } = this.constants;
      const j3 = this.thread.x % q3;
      const j2 = Math.floor(this.thread.x / q3) % q2;
      const j1 = Math.floor(this.thread.x / (q3 * q2));
      let sum = 0;
      for (let s = 0; s < this.constants.rank2; s++) {
        let inner = 0;
        for (let r = 0; r < this.constants.rank1; r++) {
          inner +=
            first[(digits[row * 3] * this.constants.q1 + j1) * rank1 + r] *
            second[((digits[row * 3 + 1] * rank1 + r) * q2 + j2) * rank2 + s];
        }
        sum += inner * third[(digits[row * 3 + 2] * rank2 + s) * q3 + j3];
      }
      return sum;
    };
    this.#run = gpu.createKernel(kernel as never, {
      output: [shape.embeddingDim, lookups],
      constants: { q1, q2, q3, rank1, rank2 },
    });
    this.#shape = shape;
    this.#cores = cores;
  }

  /** The rows of all lookups of a batch; they are not pooled. */
  forward({ indices }: ChainBatch): unknown {
    const digits = new Float32Array(3 * indices.length);
    for (const [p, id] of indices.entries()) digits.set(rowDigits(id, this.#shape.rowShape), 3 * p);
    return this.#run(...this.#cores, digits);
  }
}
