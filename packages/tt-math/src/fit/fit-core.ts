import { addProduct } from "../linear-algebra/products.ts";
import { dot } from "../linear-algebra/vector-loops.ts";
import { conjugateGradients } from "./conjugate-gradients.ts";

/** Steps of conjugate gradients a slice. With orthonormal neighbours and the last sweep's values most need few. */
const ITERATIONS = 10;
const TOLERANCE = 1e-6;

/** One core of a train with all that it meets. */
export interface CoreProblem {
  /** The table, row-major [n, D]. */
  readonly matrix: Float32Array;
  /** Weight of each row; 0 leaves it out. */
  readonly weights: Float64Array;
  /** Rows of the table; those behind it are padding. */
  readonly numEmbeddings: number;
  /** The core's own factors p_k, q_k and its ranks. */
  readonly p: number;
  readonly q: number;
  readonly leftRank: number;
  readonly rightRank: number;
  /** Row digits and columns before the core, and behind it. */
  readonly prefixes: number;
  readonly prefixColumns: number;
  readonly suffixes: number;
  readonly suffixColumns: number;
  /** [prefix][column][rank] and [suffix][column][rank]. */
  readonly left: Float64Array;
  readonly right: Float64Array;
}

/** A term X ↦ G·X·S of the normal equations. */
interface Term {
  readonly gram: Float64Array;
  readonly weighted: Float64Array;
}

/**
 * Solves the weighted least squares of each slice of a core, the other cores fixed, in place; `factor` is [r, p, q, r'].
 *
 * A slice X meets the rows of one digit: Σ w‖L·X·R − W‖². All rows of one prefix share L, so the normal equations are a sum of
 * (LᵀL)·X·(Σ w·R·Rᵀ) over prefixes, which costs far less than a term a row. Returns the change of Σ w‖…‖² against X = 0.
 */
export function fitCore(problem: CoreProblem, factor: Float64Array): number {
  const { p, q, leftRank, rightRank } = problem;
  const width = q * rightRank;
  const slice = new Float64Array(leftRank * width);
  let change = 0;
  for (let digit = 0; digit < p; digit++) {
    const { terms, target } = normalEquations(problem, digit);
    if (terms.length === 0) continue;
    for (let a = 0; a < leftRank; a++) {
      slice.set(factor.subarray((a * p + digit) * width, (a * p + digit + 1) * width), a * width);
    }
    const apply = operator(terms, leftRank, q, rightRank);
    conjugateGradients(apply, target, slice, ITERATIONS, TOLERANCE);
    const product = new Float64Array(slice.length);
    apply(slice, product);
    change += dot(slice, 0, product, 0, slice.length) - 2 * dot(slice, 0, target, 0, slice.length);
    for (let a = 0; a < leftRank; a++) factor.set(slice.subarray(a * width, (a + 1) * width), (a * p + digit) * width);
  }
  return change;
}

/** The terms of a slice's normal equations and their right side [r, q, r']. */
function normalEquations(problem: CoreProblem, digit: number): { terms: Term[]; target: Float64Array } {
  const { p, q, leftRank, rightRank, prefixes, prefixColumns, suffixes, numEmbeddings, weights, left } = problem;
  const target = new Float64Array(leftRank * q * rightRank);
  const terms: Term[] = [];
  for (let prefix = 0; prefix < prefixes; prefix++) {
    const begin = (prefix * p + digit) * suffixes;
    const end = Math.min(begin + suffixes, numEmbeddings);
    if (!hasWeight(weights, begin, end)) continue;
    const weighted = new Float64Array(rightRank * rightRank);
    const sums = new Float64Array(prefixColumns * q * rightRank);
    for (let row = begin; row < end; row++) if (weights[row] > 0) addRow(problem, row, row - begin, weighted, sums);
    for (let b = 0; b < rightRank; b++) for (let c = 0; c < b; c++) weighted[c * rightRank + b] = weighted[b * rightRank + c];

    const gram = new Float64Array(leftRank * leftRank);
    for (let column = 0; column < prefixColumns; column++) {
      const from = (prefix * prefixColumns + column) * leftRank;
      for (let a = 0; a < leftRank; a++) {
        const factor = left[from + a];
        for (let c = 0; c < leftRank; c++) gram[a * leftRank + c] += factor * left[from + c];
        for (let i = 0; i < q * rightRank; i++) target[a * q * rightRank + i] += factor * sums[column * q * rightRank + i];
      }
    }
    // Behind the last core there is only a number, so all its terms are one.
    if (rightRank === 1 && terms.length > 0) addTo(terms[0].gram, gram, weighted[0]);
    else if (rightRank === 1) terms.push({ gram: gram.map((value) => value * weighted[0]), weighted: Float64Array.of(1) });
    else terms.push({ gram, weighted });
  }
  return { terms, target };
}

/** Adds w·R·Rᵀ (its lower triangle) to `weighted`, and w·W·Rᵀ to `sums` [prefix columns, q, r']. */
function addRow(problem: CoreProblem, row: number, suffix: number, weighted: Float64Array, sums: Float64Array): void {
  const { matrix, weights, q, rightRank, prefixColumns, suffixColumns, right } = problem;
  const weight = weights[row];
  const lines = prefixColumns * q;
  for (let column = 0; column < suffixColumns; column++) {
    const from = (suffix * suffixColumns + column) * rightRank;
    for (let b = 0; b < rightRank; b++) {
      const factor = weight * right[from + b];
      for (let c = 0; c <= b; c++) weighted[b * rightRank + c] += factor * right[from + c];
    }
    for (let line = 0; line < lines; line++) {
      const factor = weight * matrix[(row * lines + line) * suffixColumns + column];
      for (let b = 0; b < rightRank; b++) sums[line * rightRank + b] += factor * right[from + b];
    }
  }
}

/** X ↦ Σ G·X·S for X [r, q, r']. */
function operator(terms: readonly Term[], leftRank: number, q: number, rightRank: number) {
  const width = q * rightRank;
  const half = new Float64Array(leftRank * width);
  return (x: Float64Array, out: Float64Array): void => {
    out.fill(0);
    for (const { gram, weighted } of terms) {
      half.fill(0);
      addProduct(x, weighted, half, leftRank * q, rightRank, rightRank);
      addProduct(gram, half, out, leftRank, leftRank, width);
    }
  };
}

function hasWeight(weights: Float64Array, begin: number, end: number): boolean {
  for (let row = begin; row < end; row++) if (weights[row] > 0) return true;
  return false;
}

function addTo(target: Float64Array, values: Float64Array, factor: number): void {
  for (let i = 0; i < target.length; i++) target[i] += factor * values[i];
}
