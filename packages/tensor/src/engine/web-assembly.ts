/** A WebAssembly memory. */
export interface WasmMemory {
  /** The present buffer; growing replaces it. */
  readonly buffer: ArrayBufferLike;
  /** Adds pages of 64 KiB. Throws a RangeError if they are not to be had. */
  grow(pages: number): number;
}

/** Extent of a memory in pages of 64 KiB. */
interface MemoryExtent {
  readonly initial: number;
  readonly maximum: number;
  readonly shared: boolean;
}

/** A compiled module; it can be posted to other threads. */
export interface WasmModule {
  readonly [Symbol.toStringTag]: string;
}

/** `kernel(args, begin, end)`. */
export type KernelFunction = (args: number, begin: number, end: number) => void;

/** The part of the WebAssembly JavaScript interface in use. TypeScript declares it only along with the DOM. */
interface WebAssemblyApi {
  readonly Memory: new (extent: MemoryExtent) => WasmMemory;
  readonly Module: new (binary: Uint8Array) => WasmModule;
  readonly Instance: new (
    module: WasmModule,
    imports: { readonly env: { readonly memory: WasmMemory } },
  ) => { readonly exports: Readonly<Record<string, unknown>> };
  readonly validate: (binary: Uint8Array) => boolean;
}

/** WebAssembly, as every engine of the last years has it. */
export const webAssembly: WebAssemblyApi = (globalThis as unknown as { readonly WebAssembly: WebAssemblyApi }).WebAssembly;

/** Bytes of a page. */
export const PAGE_BYTES = 65536;

/** Most pages of a memory: 4 GiB but for the last page, so that the end of an array is an offset too, and not 2^32. */
export const MAX_PAGES = 65535;

/** True where memories can be shared between threads. */
export const canShare: boolean = typeof SharedArrayBuffer !== "undefined";
