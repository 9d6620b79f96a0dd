/** Copies the arrays of a state, which may be views, so that later updates leave the copy alone. */
export function copyState<T extends { readonly data: { slice(): unknown } }>(state: ReadonlyMap<string, T>): Map<string, T> {
  return new Map([...state].map(([name, tensor]) => [name, { ...tensor, data: tensor.data.slice() }]));
}
