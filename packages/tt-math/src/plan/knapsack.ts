/** A way to store one table. */
export interface Choice {
  /** What it costs. */
  readonly bytes: number;
  /** What it is worth. */
  readonly value: number;
}

/** A step from one choice of a table to the next better one on its hull. */
interface Step {
  readonly table: number;
  readonly to: number;
  readonly bytes: number;
  readonly slope: number;
}

/**
 * Takes one choice a table so that the bytes stay within a budget and the value is large: the multiple-choice knapsack by
 * value per byte along the hulls of the tables' choices, then whatever still fits. The value is below the optimum by less
 * than one step of one table.
 *
 * Returns the position of each table's choice, or undefined where the cheapest choices do not fit.
 */
export function fillKnapsack(tables: readonly (readonly Choice[])[], budgetBytes: number): number[] | undefined {
  const hulls = tables.map(upperHull);
  const taken = hulls.map(() => 0);
  let left = budgetBytes - hulls.reduce((sum, hull, t) => sum + tables[t][hull[0]].bytes, 0);
  if (left < 0) return undefined;
  const steps = hulls.flatMap((hull, table) => hull.slice(1).map((_, k) => stepTo(tables[table], hull, table, k + 1)));
  // Slopes fall along a hull, so each table's steps come in their order; equal ones stay in the order of the tables.
  steps.sort((a, b) => b.slope - a.slope);
  for (const { table, to, bytes } of steps) {
    // Once a step of a table was left out, the next ones start from where it would have led.
    if (bytes > left || taken[table] !== to - 1) continue;
    taken[table] = to;
    left -= bytes;
  }
  return spendRest(
    tables,
    taken.map((k, t) => hulls[t][k]),
    left,
  );
}

/** Takes for each table in turn the best choice that what is left allows. */
function spendRest(tables: readonly (readonly Choice[])[], taken: number[], budget: number): number[] {
  let left = budget;
  return taken.map((now, t) => {
    const choices = tables[t];
    let best = now;
    for (const [k, { bytes, value }] of choices.entries()) {
      if (bytes - choices[now].bytes <= left && value > choices[best].value) best = k;
    }
    left -= choices[best].bytes - choices[now].bytes;
    return best;
  });
}

function stepTo(choices: readonly Choice[], hull: readonly number[], table: number, to: number): Step {
  const [from, next] = [choices[hull[to - 1]], choices[hull[to]]];
  const bytes = next.bytes - from.bytes;
  return { table, to, bytes, slope: (next.value - from.value) / bytes };
}

/** Positions of the choices on the upper convex hull, from the cheapest to the best. */
function upperHull(choices: readonly Choice[]): number[] {
  const order = choices
    .map((_, k) => k)
    .sort((a, b) => choices[a].bytes - choices[b].bytes || choices[b].value - choices[a].value);
  const hull: number[] = [];
  for (const k of order) {
    const { bytes, value } = choices[k];
    const last = hull.at(-1);
    if (last !== undefined && (value <= choices[last].value || bytes === choices[last].bytes)) continue;
    while (hull.length > 1 && isBelow(choices[hull[hull.length - 2]], choices[hull[hull.length - 1]], choices[k])) hull.pop();
    hull.push(k);
  }
  return hull;
}

/** Whether a point lies on or below the line between its neighbours. */
function isBelow(before: Choice, point: Choice, after: Choice): boolean {
  return (
    (point.value - before.value) * (after.bytes - before.bytes) <= (after.value - before.value) * (point.bytes - before.bytes)
  );
}
