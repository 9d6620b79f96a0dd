import type { RowCounter } from "./row-counter.ts";

/** Accesses that wait to be counted, in the order in which they came. */
export class AccessLog {
  #ids = new Uint32Array(0);
  #begin = 0;
  #end = 0;

  /** The ids, as a view. */
  get ids(): Uint32Array {
    return this.#ids.subarray(this.#begin, this.#end);
  }

  /** Adds ids at the end. */
  append(ids: Uint32Array): void {
    if (this.#end + ids.length > this.#ids.length) {
      const longer = new Uint32Array(2 * (this.ids.length + ids.length));
      longer.set(this.ids);
      [this.#ids, this.#begin, this.#end] = [longer, 0, this.ids.length];
    }
    this.#ids.set(ids, this.#end);
    this.#end += ids.length;
  }

  /** Counts the first `most` ids. */
  replay(counter: RowCounter, most: number): void {
    const ids = this.ids.subarray(0, most);
    counter.observe(ids);
    this.#begin += ids.length;
    if (this.#begin === this.#end) [this.#ids, this.#begin, this.#end] = [new Uint32Array(0), 0, 0];
  }
}
