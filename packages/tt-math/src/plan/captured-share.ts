/** At this part of the floats of a dense table, cores give half of what the table would give. */
const HALF_AT = 1 / 160;

/**
 * How much of the use of a dense table cores give, from 0 to 1, by the part of its floats that they have: x / (x + 1/160).
 *
 * One constant for all data, so a guide for sharing out bytes and no forecast of accuracy. It is fitted to the log-loss of
 * TT tables of ranks 4 to 16 between that of a dense table and that of none, on ml-1m (random ids) and on a Criteo sample.
 */
export function capturedShare(parameters: number, denseParameters: number): number {
  const part = parameters / denseParameters;
  return part / (part + HALF_AT);
}
