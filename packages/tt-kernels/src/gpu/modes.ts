/** The modes of gpu.js in use, from the one that a GPU serves best to the last resort. */
export const GPU_MODES = ["webgpu", "webgl2", "webasm", "cpu"] as const;

/** A mode of gpu.js: WebGPU compute, WebGL2 fragment shaders, or on the CPU, WebAssembly and plain JavaScript. */
export type GpuMode = (typeof GPU_MODES)[number];

/** The largest arrays that a device takes. */
export interface GpuLimits {
  /** Columns of an array. */
  readonly columns: number;
  /** Rows of an array. */
  readonly rows: number;
  /** Bytes of an array. */
  readonly bytes: number;
}

/** What serves a mode. */
export interface GpuAdapter {
  /** Its name, as the platform gives it. */
  readonly name: string;
  /** Whether it is known to compute on the CPU. */
  readonly software: boolean;
  /** The largest arrays that it takes. */
  readonly limits: GpuLimits;
}

interface WebGpuAdapter {
  readonly info?: Readonly<Partial<Record<"vendor" | "architecture" | "device" | "description", string>>>;
  readonly isFallbackAdapter?: boolean;
  readonly limits: { readonly maxStorageBufferBindingSize: number; readonly maxBufferSize: number };
}

interface WebGl2 {
  readonly MAX_TEXTURE_SIZE: number;
  readonly RENDERER: number;
  getParameter(name: number): unknown;
  getExtension(name: string): { readonly UNMASKED_RENDERER_WEBGL?: number; loseContext?(): void } | null;
}

interface Canvas {
  getContext(kind: "webgl2"): WebGl2 | null;
}

/** The browser's interfaces in use. TypeScript declares them only along with the DOM. */
interface Platform {
  readonly navigator?: { readonly gpu?: { requestAdapter(): Promise<WebGpuAdapter | null> } };
  readonly OffscreenCanvas?: new (width: number, height: number) => Canvas;
  readonly document?: { createElement(name: "canvas"): Canvas };
}

const SOFTWARE = /swiftshader|llvmpipe|lavapipe|software|basic render|warp/i;

/** Rows that gpu.js covers along one axis of WebGPU: 65,535 workgroups, which every device takes, of 8 by 8 threads. */
const WEBGPU_ROWS = 8 * 65_535;

/** Exact as float32, which positions in kernels are. */
const EXACT = 2 ** 24;

/** Whether a mode computes apart from the host's memory, so that results are handles of what lies there. */
export function isRemote(mode: GpuMode): boolean {
  return mode === "webgpu" || mode === "webgl2";
}

/**
 * Planes that an array of so many rows has. gpu.js makes a texture of a plane's columns and rows, but of several planes one that
 * is nearly square, of which WebGL2 takes far larger ones.
 */
export function planesOf(mode: GpuMode, rows: number): number {
  if (mode === "webgl2") return 2;
  return mode === "webgpu" ? Math.ceil(rows / WEBGPU_ROWS) : 1;
}

/** Extents of an output as gpu.js wants them; on a device always three, since a compiled kernel keeps their number. */
export function outputExtents(mode: GpuMode, columns: number, rows: number): number[] {
  const planes = planesOf(mode, rows);
  return isRemote(mode) ? [columns, rows / planes, planes] : [columns, rows];
}

/** Finds what serves a mode. Throws an Error that says why there is nothing. */
export async function findAdapter(mode: GpuMode): Promise<GpuAdapter> {
  if (mode === "webgpu") return findWebGpu();
  if (mode === "webgl2") return findWebGl2();
  const name = mode === "webasm" ? "WebAssembly on the CPU" : "JavaScript on the CPU";
  return { name, software: true, limits: { columns: EXACT, rows: EXACT, bytes: 2 ** 30 } };
}

async function findWebGpu(): Promise<GpuAdapter> {
  const gpu = (globalThis as Platform).navigator?.gpu;
  if (gpu === undefined) throw new Error("there is no navigator.gpu");
  const adapter = await gpu.requestAdapter();
  if (adapter === null) throw new Error("no adapter answers");
  const { vendor, architecture, device, description } = adapter.info ?? {};
  const name = [vendor, architecture, device, description].filter(Boolean).join(" ") || "unnamed adapter";
  const bytes = Math.min(adapter.limits.maxStorageBufferBindingSize, adapter.limits.maxBufferSize);
  return {
    name,
    software: adapter.isFallbackAdapter === true || SOFTWARE.test(name),
    limits: { columns: WEBGPU_ROWS, rows: EXACT, bytes },
  };
}

function findWebGl2(): GpuAdapter {
  const { OffscreenCanvas, document } = globalThis as Platform;
  if (OffscreenCanvas === undefined && document === undefined) throw new Error("there is no canvas");
  const canvas = OffscreenCanvas === undefined ? document?.createElement("canvas") : new OffscreenCanvas(1, 1);
  const gl = canvas?.getContext("webgl2");
  if (gl === null || gl === undefined) throw new Error("there is no WebGL2 context");
  if (gl.getExtension("EXT_color_buffer_float") === null) throw new Error("it cannot write float32 textures");
  const renderer = gl.getExtension("WEBGL_debug_renderer_info")?.UNMASKED_RENDERER_WEBGL ?? gl.RENDERER;
  const name = String(gl.getParameter(renderer));
  const side = gl.getParameter(gl.MAX_TEXTURE_SIZE) as number;
  gl.getExtension("WEBGL_lose_context")?.loseContext?.();
  return { name, software: SOFTWARE.test(name), limits: { columns: EXACT, rows: EXACT, bytes: 4 * side * (side - 1) } };
}

/**
 * Modes in the order in which they are worth trying: GPUs first. A software adapter comes after `webasm`, which was
 * measured to be faster.
 */
export function byPreference(found: readonly (readonly [GpuMode, GpuAdapter])[]): GpuMode[] {
  const rank = (mode: GpuMode, { software }: GpuAdapter): number => {
    if (mode === "cpu") return 3;
    return mode === "webasm" ? 1 : software ? 2 : 0;
  };
  return found
    .map(([mode, adapter], order) => ({ mode, rank: rank(mode, adapter), order }))
    .sort((a, b) => a.rank - b.rank || a.order - b.order)
    .map(({ mode }) => mode);
}
