/** A raw click log: tab-separated lines, decompressed. */
export interface LogSource {
  /** Name that errors and the manifest give it, such as its path. */
  readonly name: string;
  /** The bytes, cut anywhere. May be called several times; each call starts at the first byte. */
  chunks(): AsyncIterable<Uint8Array>;
}
