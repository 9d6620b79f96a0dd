/** Values of a column as they lie in memory: numbers, or texts. */
export type ForeignValues =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array
  | string[];

/** A column of an Arrow file that this project did not write. */
export interface ForeignColumn {
  /** Its name. */
  readonly name: string;
  /** Its Arrow type in words, such as `Uint32` or `List<Int64>`. */
  readonly type: string;
  /** Its values, or those of the items of its lists, one after the other; what a null row holds is of no meaning. */
  readonly values: ForeignValues;
  /** One byte a row, 0 for null; absent if no row is. */
  readonly valid?: Uint8Array;
  /** Of a list column: where the items of each row begin; rows + 1 entries, the first 0. */
  readonly offsets?: Uint32Array;
}

/** The columns of an Arrow file that this project did not write. */
export interface ForeignTable {
  /** Number of rows; every column has so many. */
  readonly rows: number;
  /** The columns in the order of the file. */
  readonly columns: readonly ForeignColumn[];
}
