/** An entry of a state, as far as copying it goes. */
export interface Copyable {
  /** The elements, as a typed array. */
  readonly data: Sliceable;
}

/** What a typed array can do. */
export interface Sliceable {
  /** Copies the elements. */
  slice(): unknown;
}

/** Copies the arrays of a state, which may be views, so that later updates leave the copy alone. */
export function copyState<T extends Copyable>(state: ReadonlyMap<string, T>): Map<string, T> {
  return new Map([...state].map(([name, tensor]) => [name, { ...tensor, data: tensor.data.slice() }]));
}
