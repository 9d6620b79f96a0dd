import type { GpuJsHandle } from "./gpu-js.ts";

/** An array of float32 on a device, row-major. */
export class GpuArray {
  /** Columns. */
  readonly columns: number;
  /** Rows; those beyond what was asked for hold no meaning. */
  readonly rows: number;
  /** What gpu.js takes for it: a handle, or in the modes on the CPU the numbers themselves. */
  readonly value: unknown;

  constructor(columns: number, rows: number, value: unknown) {
    this.columns = columns;
    this.rows = rows;
    this.value = value;
  }

  /** Frees its memory on the device. */
  delete(): void {
    const { delete: release } = this.value as Partial<GpuJsHandle>;
    release?.call(this.value);
  }
}
