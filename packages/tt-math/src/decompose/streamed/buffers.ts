import type { Runtime, Tensor } from "@tt-rec/tensor";

/** Tensors of a runtime that are given back together. */
export class Buffers {
  readonly #runtime: Runtime;
  readonly #tensors: Tensor[] = [];

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** A zeroed tensor. Throws E_MEMORY. */
  take(shape: readonly number[]): Tensor {
    const tensor = this.#runtime.tensor(shape);
    this.#tensors.push(tensor);
    return tensor;
  }

  /** A tensor of each shape that occurs, for results that are used at once. */
  takeDistinct(shapes: readonly (readonly number[])[]): (shape: readonly number[]) => Tensor {
    const byShape = new Map<string, Tensor>();
    for (const shape of shapes) if (!byShape.has(String(shape))) byShape.set(String(shape), this.take(shape));
    return (shape) => byShape.get(String(shape)) as Tensor;
  }

  /** Frees all tensors. */
  release(): void {
    for (const tensor of this.#tensors.splice(0)) tensor.dispose();
  }
}
