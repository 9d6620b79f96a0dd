import type { Runtime, Tensor } from "@tt-rec/tensor";
import type { TTShape } from "@tt-rec/tt-math";

/** A lookup that builds the whole table first, as T3nsor does. */
export interface Materialized {
  /** Builds the table and takes the rows [n, D] out of it. */
  rows(ids: Uint32Array): Promise<Float32Array>;
  /** Bytes that it holds beside the cores. */
  readonly bytes: number;
  /** Multiplications and additions of a call. */
  readonly flops: number;
}

/**
 * T3nsor's way with our fast GEMM: for each first digit the products of all second digits, and those times the third core, into
 * a table of all rows. The table is allocated once, which spares it what a framework would spend on that at each call.
 */
export function materialize(
  runtime: Runtime,
  { rowShape, columnShape, ranks }: TTShape,
  cores: readonly Float32Array[],
): Materialized {
  const [[p1, p2, p3], [q1, q2, q3]] = [rowShape, columnShape];
  const [, r1, r2] = ranks;
  const [middle, last] = [runtime.tensor([r1, p2 * q2 * r2]), runtime.tensor([r2, p3 * q3])];
  const first = runtime.tensor([q1, r1]);
  const prefixes = runtime.tensor([q1, p2 * q2 * r2]);
  const block = runtime.tensor([q1 * p2 * q2, p3 * q3]);
  const table = new Float32Array(p1 * block.size);
  return {
    bytes: table.byteLength + 4 * (middle.size + last.size + first.size + prefixes.size + block.size),
    flops: 2 * p1 * (prefixes.size * r1 + block.size * r2),
    async rows(ids) {
      // A slice of a core lies together; a product wants the rank first, so the cores are turned. They change at each step.
      turn(cores[1], p2, r1, q2 * r2, middle);
      turn(cores[2], p3, r2, q3, last);
      for (let i1 = 0; i1 < p1; i1++) {
        first.data.set(cores[0].subarray(i1 * first.size, (i1 + 1) * first.size));
        await runtime.kernels.gemm("nn", first, middle, prefixes);
        await runtime.kernels.gemm("nn", prefixes.reshape([q1 * p2 * q2, r2]), last, block);
        table.set(block.data, i1 * block.size);
      }
      return gather(ids);
    },
  };

  function gather(ids: Uint32Array): Float32Array {
    const out = new Float32Array(ids.length * q1 * q2 * q3);
    let to = 0;
    for (const id of ids) {
      const i1 = Math.floor(id / (p2 * p3));
      const i2 = Math.floor(id / p3) % p2;
      for (let j1 = 0; j1 < q1; j1++) {
        for (let j2 = 0; j2 < q2; j2++) {
          const from = i1 * block.size + ((j1 * p2 + i2) * q2 + j2) * p3 * q3 + (id % p3) * q3;
          for (let j3 = 0; j3 < q3; j3++) out[to++] = table[from + j3];
        }
      }
    }
    return out;
  }
}

/** Writes [slices, rank, rest] as [rank, slices, rest]. */
function turn(core: Float32Array, slices: number, rank: number, rest: number, into: Tensor): void {
  const target = into.data;
  for (let i = 0; i < slices; i++) {
    for (let r = 0; r < rank; r++) {
      const from = (i * rank + r) * rest;
      target.set(core.subarray(from, from + rest), (r * slices + i) * rest);
    }
  }
}
