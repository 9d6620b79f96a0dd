import { createRng } from "@tt-rec/tensor";
import { allClose } from "@tt-rec/testing";
import fc from "fast-check";
import { batchedGemm } from "../src/gpu.ts";
import type { GpuCase } from "./gpu-case.ts";

/** Products and gradients of `batchedGemm`. */
export const batchedGemmCase: GpuCase = {
  name: "batched products and their gradients agree with float64",
  async run(t, { device, runs }) {
    const extents = fc.constantFrom(1, 2, 3, 5, 7, 11, 13);
    const property = fc.asyncProperty(extents, extents, extents, fc.nat(40), fc.nat(), async (m, n, k, batch, seed) => {
      const rng = createRng(seed);
      const draw = (size: number): Float32Array => Float32Array.from({ length: batch * size }, rng.normal);
      const [a, b, gradient] = [draw(m * k), draw(k * n), draw(m * n)];
      const product = new Float64Array(batch * m * n);
      const [ofA, ofB] = [new Float64Array(a.length), new Float64Array(b.length)];
      for (let x = 0; x < batch; x++) {
        for (let i = 0; i < m; i++) {
          for (let j = 0; j < n; j++) {
            const at = (x * m + i) * n + j;
            for (let s = 0; s < k; s++) {
              const [left, right] = [(x * m + i) * k + s, (x * k + s) * n + j];
              product[at] += a[left] * b[right];
              ofA[left] += gradient[at] * b[right];
              ofB[right] += gradient[at] * a[left];
            }
          }
        }
      }
      const products = batchedGemm(device, { m, n, k });
      allClose(t, await products.forward(a, b), product, 1e-5);
      const gradients = await products.backward(a, b, gradient);
      allClose(t, gradients.a, ofA, 1e-5);
      allClose(t, gradients.b, ofB, 1e-5);
      products.dispose();
    });
    await fc.assert(property, { numRuns: runs });
    const products = batchedGemm(device, { m: 2, n: 3, k: 5 });
    const message = await products.forward(new Float32Array(20), new Float32Array(29)).then(
      () => "taken",
      (error: Error) => error.message,
    );
    t.is(message, "b has 29 elements, a batch of 2 needs 30");
    products.dispose();
  },
};
