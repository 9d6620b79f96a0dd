import type { Runtime, Tensor } from "@tt-rec/tensor";
import { checkExtents, type DenseEmbeddingBagOptions } from "../dense-embedding-bag.ts";
import type { GpuArray } from "./gpu-array.ts";
import type { GpuBatch } from "./gpu-batch.ts";
import type { GpuDevice } from "./gpu-device.ts";
import { GpuEmbeddingBag, type GpuPart, type GpuRows } from "./gpu-embedding-bag.ts";
import { GpuParameter } from "./gpu-parameter.ts";
import { KernelSet } from "./kernel-set.ts";

/** Options of `GpuDenseEmbeddingBag`. */
export interface GpuDenseEmbeddingBagOptions extends DenseEmbeddingBagOptions {
  /** Most lookups, and most outputs, of a batch. Default: what the device takes, at most 65,535. */
  readonly capacity?: number;
}

/**
 * The uncompressed table on a device. gpu.js kernels cannot write in place, so an update copies the whole table there: fit for
 * small tables, and as the baseline of `GpuTTEmbeddingBag`.
 */
export class GpuDenseEmbeddingBag extends GpuEmbeddingBag {
  protected readonly parameters: readonly GpuParameter[];

  /**
   * Keeps the table until it is first used. Throws `E_SHAPE` on bad extents, `E_OPTION` on a bad capacity, and `E_GPU`, with the
   * numbers, if the table exceeds what the device takes.
   */
  constructor(runtime: Runtime, device: GpuDevice, options: GpuDenseEmbeddingBagOptions) {
    const { numEmbeddings, embeddingDim, pooling = "sum", name = "table", initialize } = options;
    checkExtents(numEmbeddings, embeddingDim);
    const capacity = options.capacity ?? device.capacity(embeddingDim);
    super(runtime, new KernelSet(device), options, pooling, capacity);
    const table = new Float32Array(numEmbeddings * embeddingDim);
    initialize?.(table);
    this.parameters = [new GpuParameter(this.kernels, name, [numEmbeddings, embeddingDim], table)];
  }

  /** A copy of the table [n, D], as a parameter tensor that the caller disposes. */
  async toDense(): Promise<Tensor> {
    const dense = this.runtime.table([this.numEmbeddings, this.embeddingDim]);
    const [[, { data }]] = await this.parameters[0].entries();
    dense.data.set(data);
    return dense;
  }

  protected async rowsOf({ lookup: { rows } }: GpuBatch): Promise<GpuRows> {
    return { array: await this.parameters[0].weights(), rowOf: rows };
  }

  protected async partsOf({ groups: { uniqueRows } }: GpuBatch, rowGradients: GpuArray): Promise<GpuPart[]> {
    const [parameter] = this.parameters;
    return [{ parameter, slices: uniqueRows, touched: await this.uploadSlices(uniqueRows), values: rowGradients }];
  }
}
