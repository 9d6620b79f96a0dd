/** Independent chains: enough to hide the latency of a multiply-add, few enough to stay in registers beside its operands. */
const CHAINS = 12;
/** Multiplications and additions of one pass through the loop: four lanes, two operations. */
const FLOPS_PER_PASS = CHAINS * 8;
/** Passes of one call, about 10 ms. */
const PASSES = 6_000_000;

/** Work of one call, in FLOP. */
export const PEAK_FLOPS: number = FLOPS_PER_PASS * PASSES;

const MULTIPLIER = 1.000_000_1;
const SUMMAND = 1e-9;

interface PeakModule {
  readonly exports: { readonly run: (passes: number) => number };
}

/** The part of the WebAssembly interface that is used; the types of Node do not have it. */
const { Module, Instance } = (
  globalThis as unknown as {
    WebAssembly: { Module: new (bytes: Uint8Array) => object; Instance: new (module: object) => PeakModule };
  }
).WebAssembly;

/** What this engine computes at most on vectors of 128 bits: a loop of multiply-adds, fused or not; returns a call of `PEAK_FLOPS`. */
export function peakLoop(fused: boolean): () => number {
  const { run } = new Instance(new Module(assemble(fused))).exports;
  return () => run(PASSES);
}

/** `(func (export "run") (param i32) (result f32))`: the chains live in locals 1 to `CHAINS`, the operands in the two after. */
function assemble(fused: boolean): Uint8Array {
  const [multiplier, summand] = [CHAINS + 1, CHAINS + 2];
  const chains = Array.from({ length: CHAINS }, (_, chain) => chain + 1);
  const step = (chain: number): number[] => {
    const operands = [...get(chain), ...get(multiplier)];
    // f32x4.relaxed_madd, or f32x4.mul and f32x4.add.
    const product = fused ? [...get(summand), 253, 133, 2] : [253, 230, 1, ...get(summand), 253, 228, 1];
    return [...operands, ...product, ...set(chain)];
  };
  const code = [
    ...[1, CHAINS + 2, 0x7b],
    ...chains.flatMap((chain) => [...splat(chain), ...set(chain)]),
    ...[...splat(MULTIPLIER), ...set(multiplier), ...splat(SUMMAND), ...set(summand)],
    ...[0x03, 0x40, ...chains.flatMap(step)],
    // Count down: local.get 0, i32.const 1, i32.sub, local.tee 0, br_if 0, end.
    ...[0x20, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b],
    ...[...get(1), ...chains.slice(1).flatMap((chain) => [...get(chain), 253, 228, 1]), 253, 31, 0, 0x0b],
  ];
  const body = [...unsigned(code.length), ...code];
  return Uint8Array.of(
    ...[0, 97, 115, 109, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 1, 0x7f, 1, 0x7d]),
    ...section(3, [1, 0]),
    ...section(7, [1, 3, ...new TextEncoder().encode("run"), 0, 0]),
    ...section(10, [1, ...body]),
  );
}

function get(local: number): number[] {
  return [0x20, local];
}

function set(local: number): number[] {
  return [0x21, local];
}

/** `f32.const` and `f32x4.splat`. */
function splat(value: number): number[] {
  return [0x43, ...new Uint8Array(Float32Array.of(value).buffer), 253, 19];
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...unsigned(content.length), ...content];
}

/** LEB128. */
function unsigned(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)];
}
