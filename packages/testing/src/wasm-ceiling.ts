/** What nothing on this machine can exceed: WebAssembly of a few instructions, written by hand. */

/** The part of the WebAssembly interface in use; the types of Node do not have it. */
const webAssembly = (
  globalThis as unknown as {
    readonly WebAssembly: {
      readonly Memory: new (extent: { readonly initial: number; readonly maximum: number }) => { readonly buffer: ArrayBuffer };
      readonly Module: new (binary: Uint8Array) => object;
      readonly Instance: new (
        module: object,
        imports: { readonly env: { readonly memory: object } },
      ) => { readonly exports: Readonly<Record<string, unknown>> };
    };
  }
).WebAssembly;

/** Bytes that `reader` can read: far more than the caches hold. */
export const READABLE_BYTES: number = 4096 * 65536;

/** Independent chains: enough to hide the latency of two multiply-adds a cycle. */
const CHAINS = 12;

/** Floating-point operations of a turn of the loop. */
const TURN_FLOPS = CHAINS * 4 * 2;

/** Bytes of a turn of the reading loop: eight vectors. */
const TURN_BYTES = 128;

const [I32, F32, V128] = [0x7f, 0x7d, 0x7b];
const MEMORY_PAGES = 4096;
const LOADS = Array.from({ length: 8 }, (_, i) => i);

const get = (local: number): number[] => [0x20, local];
const set = (local: number): number[] => [0x21, local];
const vector = (opcode: number): number[] => [0xfd, ...unsigned(opcode)];
const constant = (value: number): number[] => [0x41, ...unsigned(value)];

/** LEB128; also right for the signed constants here, which have bit 6 of the last byte clear. */
function unsigned(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)];
}

function section(id: number, body: readonly number[]): number[] {
  return [id, ...unsigned(body.length), ...body];
}

/** A module that imports `env.memory` and exports one function `run`, with `locals` vectors behind its parameters. */
function assemble(parameters: readonly number[], locals: number, code: readonly number[]): (...args: number[]) => number {
  const text = (name: string): number[] => [name.length, ...new TextEncoder().encode(name)];
  const body = [1, locals, V128, ...code, 0x0b];
  const binary = Uint8Array.of(
    ...[0, 97, 115, 109, 1, 0, 0, 0],
    ...section(1, [1, 0x60, parameters.length, ...parameters, 1, F32]),
    ...section(2, [1, ...text("env"), ...text("memory"), 2, 1, 1, ...unsigned(MEMORY_PAGES)]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...text("run"), 0, 0]),
    ...section(10, [1, ...unsigned(body.length), ...body]),
  );
  const instance = new webAssembly.Instance(new webAssembly.Module(binary), { env: { memory: memory() } });
  return instance.exports.run as (...args: number[]) => number;
}

let shared: { readonly buffer: ArrayBuffer } | undefined;

/** Memory whose pages exist: untouched ones would all be read from one page of zeros. */
function memory(): { readonly buffer: ArrayBuffer } {
  if (shared === undefined) {
    shared = new webAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES });
    new Uint8Array(shared.buffer).fill(1);
  }
  return shared;
}

/** `while (--n) …` around code that leaves the stack as it was. Local 0 is n. */
const loop = (code: readonly number[]): number[] => [
  0x03,
  0x40,
  ...code,
  ...get(0),
  ...constant(1),
  0x6b,
  0x22,
  0,
  0x0d,
  0,
  0x0b,
];

/** Lane 0 of the sum of vectors. */
const sumOf = (locals: readonly number[]): number[] => [
  ...locals.flatMap((local, i) => [...get(local), ...(i === 0 ? [] : vector(0xe4))]),
  ...vector(0x1f),
  0,
];

/** Multiply-adds at the peak rate: `run(flops)`. */
export function peak(build: "simd" | "relaxed"): (flops: number) => number {
  // c = c·x + y: with c = x·y + c the product would be taken out of the loop.
  const madd = build === "relaxed" ? vector(0x105) : [];
  const [x, y] = [3, 4];
  const chains = Array.from({ length: CHAINS }, (_, i) => 5 + i);
  const step = chains.flatMap((c) => [
    ...[...get(c), ...get(x)],
    ...(build === "relaxed" ? [...get(y), ...madd] : [...vector(0xe6), ...get(y), ...vector(0xe4)]),
    ...set(c),
  ]);
  const splat = (from: number, to: number): number[] => [...get(from), ...vector(0x13), ...set(to)];
  const run = assemble([I32, F32, F32], 2 + CHAINS, [...splat(1, x), ...splat(2, y), ...loop(step), ...sumOf(chains)]);
  return (flops) => run(Math.max(1, Math.round(flops / TURN_FLOPS)), 0.5, 1);
}

/** Reads the first bytes of a memory: `run(bytes)`. */
export function reader(): (bytes: number) => number {
  const sums = LOADS.map((i) => 2 + i);
  const step = [
    ...LOADS.flatMap((i) => [...get(1), ...vector(0), 4, ...unsigned(16 * i), ...get(sums[i]), ...vector(0x51), ...set(sums[i])]),
    ...[...get(1), ...constant(TURN_BYTES), 0x6a, ...set(1)],
  ];
  const run = assemble([I32, I32], LOADS.length, [...loop(step), ...sumOf(sums)]);
  return (bytes) => run(bytes / TURN_BYTES, 0);
}
