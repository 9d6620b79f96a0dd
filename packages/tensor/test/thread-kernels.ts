import type { KernelModule } from "@tt-rec/tensor";

/** Sections of a module with one type, `(i32, i32, i32) -> ()`, one mutable global, and a function for each body. */
function moduleOf(bodies: Readonly<Record<string, readonly number[]>>): Uint8Array {
  const text = (value: string): number[] => [value.length, ...new TextEncoder().encode(value)];
  const section = (id: number, content: readonly number[]): number[] => [id, content.length, ...content];
  const names = Object.keys(bodies);
  return Uint8Array.of(
    ...[0, 97, 115, 109, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 3, 0x7f, 0x7f, 0x7f, 0]),
    // env.memory, shared, 1 to 65536 pages.
    ...section(2, [1, ...text("env"), ...text("memory"), 2, 3, 1, 0x80, 0x80, 4]),
    ...section(3, [names.length, ...names.map(() => 0)]),
    ...section(6, [1, 0x7f, 1, 0x41, 0, 0x0b]),
    ...section(7, [names.length, ...names.flatMap((name, i) => [...text(name), 0, i])]),
    ...section(10, [names.length, ...Object.values(bodies).flatMap((body) => [body.length + 2, 0, ...body, 0x0b])]),
  );
}

/** `global.get 0; if`, which the caller's instance of the module has set and the workers' have not. */
const IF_CALLER = [0x23, 0, 0x04, 0x40];

/**
 * Kernels that misbehave in workers only: `mark`, called on the caller alone, tells its instance that it is the caller's.
 * `spin` never ends in a worker, `trap` traps there, `trapAlways` everywhere. `add` adds 1 to the words [begin, end) at args.
 */
export const threadKernels: KernelModule = (() => {
  const binary = moduleOf({
    mark: [0x41, 1, 0x24, 0],
    spin: [...IF_CALLER, 0x05, 0x03, 0x40, 0x0c, 0, 0x0b, 0x0b],
    trap: [...IF_CALLER, 0x05, 0x00, 0x0b],
    trapAlways: [0x00],
    add: [
      // loop while begin < end: at = args + 4 · begin; store(at, load(at) + 1); begin++.
      ...[0x02, 0x40, 0x03, 0x40, 0x20, 1, 0x20, 2, 0x4e, 0x0d, 1],
      ...[0x20, 0, 0x20, 1, 0x41, 2, 0x74, 0x6a],
      ...[0x20, 0, 0x20, 1, 0x41, 2, 0x74, 0x6a, 0x28, 2, 0],
      ...[0x41, 1, 0x6a, 0x36, 2, 0],
      ...[0x20, 1, 0x41, 1, 0x6a, 0x21, 1, 0x0c, 0, 0x0b, 0x0b],
    ],
  });
  const base64 = btoa(String.fromCharCode(...binary));
  return { name: "thread-kernels", simd: base64, relaxed: base64 };
})();
