/** In what a cache of int8 rows equals one of float32 rows: all that training holds, or what a deployed model needs. */
export type EqualBytes = "training" | "deployed";

/** Bytes of a cache of `resident` in training under Adagrad, whose state is float32 either way. */
function trainingBytes(rows: number, embeddingDim: number, bytesPerRow: number): number {
  // A row, its state, its id, its accesses and four counted ids with their counts; and the map.
  return rows * (bytesPerRow + 4 * embeddingDim + 8 + 4 * 8) + 8 * 2 ** Math.ceil(Math.log2(4 * rows));
}

/** How many int8 rows, at most `most`, take no more bytes than so many float32 rows. */
export function int8RowsFor(rows: number, embeddingDim: number, most: number, equal: EqualBytes): number {
  const [floatBytes, int8Bytes] = [4 * embeddingDim, embeddingDim + 4];
  if (equal === "deployed") return Math.min(most, Math.floor((rows * (floatBytes + 4)) / (int8Bytes + 4)));
  const budget = trainingBytes(rows, embeddingDim, floatBytes);
  let fitting = rows;
  while (fitting < most && trainingBytes(fitting + 1, embeddingDim, int8Bytes) <= budget) fitting++;
  return fitting;
}
