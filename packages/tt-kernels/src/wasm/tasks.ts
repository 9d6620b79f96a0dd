import type { Kernel, Task } from "@tt-rec/tensor";

/** Floating-point operations a nanosecond, roughly, of the kernels on one thread. */
const FLOPS = 40;

/** What a thread takes at a time: long enough to hide the taking, short enough to share a phase among threads. */
const GRAIN_NANOSECONDS = 8_000;

/** Units that take about `GRAIN_NANOSECONDS`, if one takes `nanoseconds`; a function of the shapes alone. */
function grainOf(nanoseconds: number): number {
  return Math.max(1, Math.round(GRAIN_NANOSECONDS / Math.max(nanoseconds, 1)));
}

/** A task whose units take `nanoseconds` each. */
export function taskOf(kernel: Kernel, args: number, units: number, nanoseconds: number): Task {
  return { kernel, args, units, grain: grainOf(nanoseconds) };
}

/** Time of some floating-point operations, and of bytes that come from the second cache or beyond. */
export function timeOf(flops: number, bytes = 0): number {
  return flops / FLOPS + bytes / 16;
}
