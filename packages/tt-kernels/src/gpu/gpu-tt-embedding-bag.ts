import type { Runtime, Tensor } from "@tt-rec/tensor";
import { checkCores, coreShape, type TTShape, toDense } from "@tt-rec/tt-math";
import { type ChainExtents, chainExtents, nodeSize } from "../reference/chain.ts";
import type { TTEmbeddingBagOptions } from "../tt-embedding-bag.ts";
import type { GpuArray } from "./gpu-array.ts";
import { childStarts, type GpuBatch, nodePairs, segmentPairs } from "./gpu-batch.ts";
import type { GpuDevice } from "./gpu-device.ts";
import { GpuEmbeddingBag, type GpuPart, type GpuRows } from "./gpu-embedding-bag.ts";
import { GpuParameter } from "./gpu-parameter.ts";
import { KernelSet } from "./kernel-set.ts";
import { coreGradientSource, parentGradientSource, productSource } from "./kernel-sources.ts";

/** Options of `GpuTTEmbeddingBag`. */
export interface GpuTTEmbeddingBagOptions extends TTEmbeddingBagOptions {
  /** Most lookups, and most outputs, of a batch. Default: what the device takes, at most 65,535. */
  readonly capacity?: number;
}

/**
 * A TT embedding bag whose cores stay on a device. Of a batch only its numbers go up (digits, prefixes, offsets) and its
 * pooled rows come down; in training the gradient of the output goes up, and a number a touched slice comes down to tell
 * whether all gradients are finite. The chain is that of `TTEmbeddingBag`: each distinct prefix and row once.
 */
export class GpuTTEmbeddingBag extends GpuEmbeddingBag {
  /** Row shape, column shape and ranks. */
  readonly shape: TTShape;
  protected readonly parameters: readonly GpuParameter[];
  readonly #extents: ChainExtents;

  /**
   * Keeps the cores until they are first used. Throws `E_SHAPE` if they do not fit the shape, `E_OPTION` on a bad capacity,
   * and `E_GPU`, with the numbers, if cores or products of a batch of that capacity exceed what the device takes.
   */
  constructor(runtime: Runtime, device: GpuDevice, options: GpuTTEmbeddingBagOptions) {
    const { shape, cores, pooling = "sum" } = options;
    checkCores({ shape, cores });
    const extents = chainExtents(shape.columnShape, shape.ranks);
    const sizes = shape.rowShape.map((_, k) => nodeSize(extents, k));
    const capacity = options.capacity ?? device.capacity(Math.max(...sizes));
    super(runtime, new KernelSet(device), shape, pooling, capacity);
    this.shape = shape;
    this.#extents = extents;
    let prefixes = 1;
    for (const [k, extent] of shape.rowShape.entries()) {
      prefixes *= extent;
      if (k > 0) device.check(`level ${k} of a batch of ${capacity}`, sizes[k], Math.min(capacity, prefixes));
    }
    this.parameters = cores.map((core, k) => new GpuParameter(this.kernels, `core.${k}`, coreShape(shape, k), core.slice()));
  }

  /** The table [n, D] that the cores stand for, as a parameter tensor that the caller disposes. */
  async toDense(): Promise<Tensor> {
    const dense = this.runtime.table([this.numEmbeddings, this.embeddingDim]);
    const state = await this.state();
    const cores = this.parameters.map(({ name }) => state.get(name)?.data as Float32Array);
    toDense({ shape: this.shape, cores }, dense.data);
    return dense;
  }

  protected async rowsOf(batch: GpuBatch): Promise<GpuRows> {
    const products = await this.#products(batch);
    return { array: products[products.length - 1], rowOf: batch.groups.groupOf };
  }

  protected async partsOf(batch: GpuBatch, rowGradients: GpuArray): Promise<GpuPart[]> {
    const products = await this.#products(batch);
    const levels = batch.levels(this.shape.rowShape);
    const { left, rank, right } = this.#extents;
    const parts: GpuPart[] = [];
    let gradients = rowGradients;
    for (let k = levels.length - 1; k > 0; k--) {
      const parameter = this.parameters[k];
      const parents = k === 1 ? await this.parameters[0].weights() : products[k - 2];
      const { touched, segments } = levels[k];
      const values = await this.run(coreGradientSource(left[k], rank[k], right[k]), rank[k] * right[k], touched.length, [
        parents,
        gradients,
        await this.upload(segmentPairs(levels, k), 2),
        await this.uploadStarts(segments),
      ]);
      parts.unshift({ parameter, slices: touched, touched: await this.uploadSlices(touched), values });
      gradients = await this.run(parentGradientSource(rank[k], right[k]), left[k] * rank[k], levels[k - 1].count, [
        gradients,
        await parameter.weights(),
        await this.upload(nodePairs(levels, k), 2),
        await this.uploadStarts(childStarts(levels, k)),
      ]);
    }
    // A node of the first level is a slice of the first core, so its gradient is the slice's.
    const { digits } = levels[0];
    parts.unshift({ parameter: this.parameters[0], slices: digits, touched: await this.uploadSlices(digits), values: gradients });
    return parts;
  }

  /** The products of levels 1 and up, from the forward pass of this step if the cores have not changed since. */
  async #products(batch: GpuBatch): Promise<readonly GpuArray[]> {
    const { known } = batch;
    if (known?.version === this.version && known.life.alive) return known.levels;
    const [life, version] = [this.runtime.scratchLife, this.version];
    const levels = batch.levels(this.shape.rowShape);
    const { rank, right } = this.#extents;
    const products: GpuArray[] = [];
    let parents = await this.parameters[0].weights();
    for (let k = 1; k < levels.length; k++) {
      parents = await this.run(productSource(rank[k], right[k]), nodeSize(this.#extents, k), levels[k].count, [
        parents,
        await this.parameters[k].weights(),
        await this.upload(nodePairs(levels, k), 2),
      ]);
      products.push(parents);
    }
    if (batch.training) batch.known = { levels: products, life, version };
    return products;
  }
}
