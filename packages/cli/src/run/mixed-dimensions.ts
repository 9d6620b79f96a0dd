/**
 * Columns of tables by the temperature rule of mixed dimensions (Ginart et al., arXiv 1909.11810): proportional to rows^−α, the
 * smallest table keeps `base`, and none falls below 1.
 */
export function mixedDimensions(rows: readonly number[], base: number, temperature: number, round: boolean): number[] {
  const factor = base * Math.min(...rows) ** temperature;
  return rows.map((n) => {
    const columns = factor * n ** -temperature;
    const whole = round ? 2 ** Math.round(Math.log2(columns)) : Math.round(columns);
    return Math.min(base, Math.max(1, whole));
  });
}
