import { TtError } from "@tt-rec/tensor";
import { GpuArray } from "./gpu-array.ts";
import { type GpuJs, type GpuJsInstance, type GpuJsKernel, loadGpuJs } from "./gpu-js.ts";
import { GpuKernel, kernelSettings } from "./gpu-kernel.ts";
import { copySource, productSource } from "./kernel-sources.ts";
import {
  byPreference,
  findAdapter,
  GPU_MODES,
  type GpuAdapter,
  type GpuLimits,
  type GpuMode,
  isRemote,
  planesOf,
} from "./modes.ts";

/** Options of `GpuDevice.open`. */
export interface GpuDeviceOptions {
  /**
   * Default `auto`: a GPU through WebGPU or WebGL2, else WebAssembly, else a software adapter, else JavaScript; the first
   * that computes a small product rightly.
   */
  readonly mode?: GpuMode | "auto";
}

/** Bytes that crossed between host and device: the payload, whatever a driver adds. */
export interface GpuTraffic {
  /** To the device. */
  readonly up: number;
  /** From the device. */
  readonly down: number;
}

/** Most numbers that go up for a position: its row and its factor. */
export const TERM_NUMBERS = 2;

/** Batches beyond this are better cut into several. */
const MAX_CAPACITY = 2 ** 18;

/** Rows of numbers, in planes or not. */
type Lines = readonly Float32Array[] | readonly (readonly Float32Array[])[];

/** Fewest rows of an array where each extent is compiled anew. */
const LEAST_ROWS = 64;

/** Where GPU kernels run: gpu.js in one mode, which does not change, with the kernels compiled for it. */
export class GpuDevice {
  /** The mode. */
  readonly mode: GpuMode;
  /** Name of what computes. */
  readonly adapter: string;
  /** Whether that is known to be the CPU. */
  readonly software: boolean;
  /** The largest arrays. */
  readonly limits: GpuLimits;
  readonly #gpu: GpuJsInstance;
  readonly #input: GpuJs["input"];
  readonly #kernels = new Map<string, { readonly kernel: GpuKernel; users: number }>();
  readonly #upload: GpuKernel;
  readonly #download: GpuKernel;
  #vertices: GpuJsKernel | undefined;
  #up = 0;
  #down = 0;
  #closed = false;

  private constructor({ GPU, input }: GpuJs, mode: GpuMode, adapter: GpuAdapter) {
    this.mode = mode;
    this.adapter = adapter.name;
    this.software = adapter.software;
    this.limits = adapter.limits;
    this.#gpu = new GPU({ mode });
    this.#input = input;
    this.#upload = new GpuKernel(this.#gpu, mode, copySource(), false);
    this.#download = new GpuKernel(this.#gpu, mode, copySource(), true);
  }

  /**
   * Opens a device. Throws `E_NOT_FOUND` if gpu.js is missing, `E_OPTION` on an unknown mode, and `E_GPU`, saying what
   * was tried and why it failed, if no mode that may be used answers.
   */
  static async open({ mode = "auto" }: GpuDeviceOptions = {}): Promise<GpuDevice> {
    if (mode !== "auto" && !GPU_MODES.includes(mode)) {
      throw new TtError("E_OPTION", `the GPU mode "${mode}" is not known; known are auto, ${GPU_MODES.join(", ")}`);
    }
    const library = await loadGpuJs();
    const refused = new Map<GpuMode, string>();
    const found: [GpuMode, GpuAdapter][] = [];
    for (const candidate of mode === "auto" ? GPU_MODES : [mode]) {
      try {
        found.push([candidate, await findAdapter(candidate)]);
      } catch (error) {
        refused.set(candidate, (error as Error).message);
      }
    }
    for (const candidate of byPreference(found)) {
      const adapter = found.find(([name]) => name === candidate)?.[1] as GpuAdapter;
      try {
        return await GpuDevice.#tried(library, candidate, adapter);
      } catch (error) {
        refused.set(candidate, `${adapter.name}: ${(error as Error).message}`);
      }
    }
    const tried = [...refused].map(([name, reason]) => `${name} (${reason})`).join(", ");
    throw new TtError("E_GPU", `no device answers in GPU mode ${mode}; tried ${tried}`);
  }

  /** Opens a mode and has it multiply two small matrices, since being there is not yet to compute rightly. */
  static async #tried(library: GpuJs, mode: GpuMode, adapter: GpuAdapter): Promise<GpuDevice> {
    const device = new GpuDevice(library, mode, adapter);
    try {
      const source = productSource(2, 3);
      const kernel = device.acquire(source);
      const [parents, core, nodes] = [
        await device.upload(Float32Array.of(1, 2, 3, 4), 2),
        await device.upload(Float32Array.of(0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6), 6),
        await device.upload(Float32Array.of(1, 1), 2),
      ];
      const product = await kernel.run(3, device.rows(1), [parents, core, nodes]);
      const values = await device.download(product, 1);
      const expected = [19, 26, 33];
      if (expected.some((value, i) => values[i] !== value)) throw new Error(`a product is ${values}, not ${expected}`);
      for (const array of [parents, core, nodes, product]) array.delete();
      device.release(source);
      device.#up = 0;
      device.#down = 0;
      return device;
    } catch (error) {
      await device.close();
      throw error;
    }
  }

  /** Bytes that have crossed since the device was opened. */
  get traffic(): GpuTraffic {
    return { up: this.#up, down: this.#down };
  }

  /** Kernels compiled and not yet freed, the device's own aside. */
  get kernels(): number {
    return this.#kernels.size;
  }

  /**
   * Rows to allocate for `count`: whole planes, or in the modes on the CPU, where gpu.js compiles for each extent, powers of two.
   * @internal
   */
  rows(count: number): number {
    if (!isRemote(this.mode)) return 2 ** Math.ceil(Math.log2(Math.max(LEAST_ROWS, count)));
    const planes = planesOf(this.mode, count);
    return planes * Math.max(1, Math.ceil(count / planes));
  }

  /**
   * The largest batch that a bag takes unless it is told, if its arrays have up to `columns` numbers a lookup.
   * @internal
   */
  capacity(columns: number): number {
    const { rows, bytes } = this.limits;
    const most = Math.min(MAX_CAPACITY, rows - 1, Math.floor(bytes / (4 * Math.max(TERM_NUMBERS, columns))));
    return isRemote(this.mode) ? most : 2 ** Math.floor(Math.log2(most)) - 1;
  }

  /**
   * Throws `E_GPU`, with the numbers, if an array is larger than the device takes.
   * @internal
   */
  check(what: string, columns: number, rows: number): void {
    const { limits, mode, adapter } = this;
    const allocated = this.rows(rows);
    const fail = (needs: string, allows: string): never => {
      throw new TtError("E_GPU", `${what} needs ${needs}; ${mode} on ${adapter} allows ${allows}`);
    };
    if (columns > limits.columns) fail(`${columns} columns`, `${limits.columns}`);
    if (allocated > limits.rows) fail(`${rows} rows`, `${limits.rows}`);
    const bytes = 4 * columns * allocated;
    if (bytes > limits.bytes) fail(`${bytes} bytes`, `${limits.bytes}`);
  }

  /**
   * The kernel of a source text, compiled once for all its users; each calls `release` at the end.
   * @internal
   */
  acquire(source: string): GpuKernel {
    this.#assertOpen();
    let entry = this.#kernels.get(source);
    if (entry === undefined) {
      entry = { kernel: new GpuKernel(this.#gpu, this.mode, source, false), users: 0 };
      this.#kernels.set(source, entry);
    }
    entry.users++;
    return entry.kernel;
  }

  /**
   * Gives up a kernel, and frees it if nobody else uses it.
   * @internal
   */
  release(source: string): void {
    const entry = this.#kernels.get(source);
    if (entry === undefined || --entry.users > 0) return;
    this.#kernels.delete(source);
    entry.kernel.destroy();
    if (this.mode === "webgl2") this.#renewVertices();
  }

  /**
   * Copies rows of `columns` numbers to the device; rows beyond them hold zeros.
   * @internal
   */
  async upload(values: Float32Array, columns: number): Promise<GpuArray> {
    return this.#filled(values, columns, this.rows(values.length / columns), 0);
  }

  /**
   * Copies where ranges start, and the end of the last; ranges beyond them are empty.
   * @internal
   */
  async uploadStarts(starts: ArrayLike<number>): Promise<GpuArray> {
    // A kernel reads one start more than it has rows, those that were added to them included.
    const rows = this.rows(starts.length - 1) + 1;
    return this.#filled(Float32Array.from(starts), 1, isRemote(this.mode) ? this.rows(rows) : rows, starts[starts.length - 1]);
  }

  async #filled(values: Float32Array, columns: number, rows: number, fill: number): Promise<GpuArray> {
    this.#assertOpen();
    this.#up += values.byteLength;
    // A copy in any case: the caller may write to its array before the device has read it.
    const padded = new Float32Array(columns * rows).fill(fill, values.length);
    padded.set(values);
    if (!isRemote(this.mode)) {
      // As the results of kernels are there, so that an argument is always of one kind.
      const lines = Array.from({ length: rows }, (_, y) => padded.subarray(y * columns, (y + 1) * columns));
      return new GpuArray(columns, rows, lines);
    }
    return this.#upload.run(columns, rows, [new GpuArray(columns, rows, this.#input(padded, [columns, rows]))]);
  }

  /**
   * Copies the first rows of an array to the host.
   * @internal
   */
  async download(array: GpuArray, rows: number): Promise<Float32Array> {
    this.#assertOpen();
    const { columns } = array;
    const copied = isRemote(this.mode) ? await this.#download.call(columns, this.rows(rows), [array]) : array.value;
    const lines = linesOf(copied as Lines);
    const values = new Float32Array(columns * rows);
    for (let y = 0; y < rows; y++) values.set(lines[y], y * columns);
    this.#down += values.byteLength;
    return values;
  }

  /** Frees all kernels; using the device throws afterwards. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#kernels.clear();
    await this.#gpu.destroy();
  }

  /**
   * gpu.js has all kernels of a WebGL context draw the vertices of the one that was compiled last, and frees them with it:
   * afterwards nothing would be drawn, without an error, until another is compiled.
   */
  #renewVertices(): void {
    const old = this.#vertices;
    this.#vertices = this.#gpu.createKernel("function () { return 0; }", kernelSettings(this.mode, false));
    this.#vertices();
    old?.destroy();
  }

  #assertOpen(): void {
    if (this.#closed) throw new TtError("E_DISPOSED", "the GPU device was used after close()");
  }
}

function linesOf(lines: Lines): readonly Float32Array[] {
  return Array.isArray(lines[0]) ? (lines as readonly (readonly Float32Array[])[]).flat() : (lines as readonly Float32Array[]);
}
