/** Writes values as the text that a CSV file would have, so that a table is read alike in every format. */
export class CellBytes {
  /** The text of the last value, from byte 0. */
  bytes: Uint8Array = new Uint8Array(64);
  /** Number of its bytes. */
  length = 0;
  readonly #encoder = new TextEncoder();

  /** Takes a value: null is an empty text, true and false are 1 and 0. Returns false for one without such a text. */
  write(value: unknown): boolean {
    if (value === null || value === undefined) {
      this.length = 0;
      return true;
    }
    if (typeof value === "number" && !Number.isFinite(value)) return false;
    if (typeof value === "string") this.#encode(value);
    else if (typeof value === "number" || typeof value === "bigint") this.#encode(String(value));
    else if (typeof value === "boolean") this.#encode(value ? "1" : "0");
    else if (value instanceof Uint8Array) {
      this.#fit(value.length);
      this.bytes.set(value);
      this.length = value.length;
    } else return false;
    return true;
  }

  #encode(text: string): void {
    this.#fit(3 * text.length);
    this.length = this.#encoder.encodeInto(text, this.bytes).written;
  }

  #fit(length: number): void {
    if (length > this.bytes.length) this.bytes = new Uint8Array(2 * length);
  }
}
