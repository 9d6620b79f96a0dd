import "@tt-rec/testing/relaxed-simd";
import { type DenseKernels, type Rng, Runtime, type RuntimeOptions, type Tensor } from "@tt-rec/tensor";

/** A runtime of one engine, with the helpers of tests on its heap. */
export interface Engine {
  readonly name: string;
  readonly kernels: DenseKernels;
  /** A tensor of these values. */
  readonly of: (shape: readonly number[], values: ArrayLike<number>) => Tensor;
  /** A tensor drawn from the normal distribution. */
  readonly normal: (rng: Rng, shape: readonly number[]) => Tensor;
}

async function engineOf(options: RuntimeOptions): Promise<Engine> {
  const runtime = await Runtime.create(options);
  const of = (shape: readonly number[], values: ArrayLike<number>): Tensor => {
    const tensor = runtime.tensor(shape);
    tensor.data.set(values);
    return tensor;
  };
  const normal = (rng: Rng, shape: readonly number[]): Tensor => {
    const tensor = runtime.tensor(shape);
    return of(
      shape,
      tensor.data.map(() => rng.normal()),
    );
  };
  return { name: `${runtime.kernels.engine} ×${runtime.threads}`, kernels: runtime.kernels, of, normal };
}

/** The builds of the WebAssembly kernels that run here. */
const builds = ["simd", "relaxed"] as const;

/** Every engine on one thread, the oracle among them. */
export const engines: readonly Engine[] = await Promise.all([
  engineOf({ backend: "reference" }),
  ...builds.map((simd) => engineOf({ simd })),
]);

/** For each build, the same kernels on 1, 2 and 4 threads. */
export const crews: readonly (readonly Engine[])[] = await Promise.all(
  builds.map((simd) => Promise.all([1, 2, 4].map((threads) => engineOf({ simd, threads })))),
);
