import { type Lookup, outputsOf } from "../lookup/lookup.ts";
import { buildPrefixTree, type PrefixLevel } from "../lookup/prefix-tree.ts";
import { groupRows, type RowGroups } from "../lookup/row-groups.ts";
import type { GpuArray } from "./gpu-array.ts";

/** Products that a forward pass has left on the device, and for how long they are good. */
export interface KnownProducts {
  /** One array a level of the tree, from level 1. */
  readonly levels: readonly GpuArray[];
  /** The step they live in. */
  readonly life: { readonly alive: boolean };
  /** Number of changes of the parameters before. */
  readonly version: number;
}

/** A batch as the host prepares it for a device: groups, tree, and the lists of numbers that go up. */
export class GpuBatch {
  /** What is looked up. */
  readonly lookup: Lookup;
  /** Whether a backward pass is to follow. */
  readonly training: boolean;
  /** What the last forward pass left. */
  known: KnownProducts | undefined;
  #groups: RowGroups | undefined;
  #levels: readonly PrefixLevel[] | undefined;

  constructor(lookup: Lookup, training: boolean) {
    this.lookup = lookup;
    this.training = training;
  }

  /** Positions grouped by row. */
  get groups(): RowGroups {
    this.#groups ??= groupRows(this.lookup.rows);
    return this.#groups;
  }

  /** Number of distinct rows. */
  get uniqueRows(): number {
    return this.groups.uniqueRows.length;
  }

  /** The tree of the distinct rows' prefixes. */
  levels(rowShape: readonly number[]): readonly PrefixLevel[] {
    this.#levels ??= buildPrefixTree(this.groups.uniqueRows, rowShape);
    return this.#levels;
  }

  /** Terms of the pooled outputs, position by position: row of its vector, and factor if there are any. */
  poolTerms(rowOf: Uint32Array): Float32Array {
    return this.#terms(rowOf, undefined);
  }

  /** Terms of the rows' gradients, row by row: the output that a position contributed to, and its factor. */
  rowGradientTerms(): Float32Array {
    return this.#terms(outputsOf(this.lookup), this.groups.order);
  }

  /** Pairs of a position's vector and its output, for the gradients of factors. */
  dotPairs(rowOf: Uint32Array): Float32Array {
    const outputOf = outputsOf(this.lookup);
    return Float32Array.from({ length: 2 * rowOf.length }, (_, i) => (i % 2 === 0 ? rowOf : outputOf)[i >>> 1]);
  }

  #terms(rowOf: Uint32Array, order: Uint32Array | undefined): Float32Array {
    const { coefficients } = this.lookup;
    const width = coefficients === undefined ? 1 : 2;
    const terms = new Float32Array(width * rowOf.length);
    for (let i = 0; i < rowOf.length; i++) {
      const p = order === undefined ? i : order[i];
      terms[width * i] = rowOf[p];
      if (coefficients !== undefined) terms[2 * i + 1] = coefficients[p];
    }
    return terms;
  }
}

/** Pairs (parent, digit) of a level's nodes. At level 1 a parent is a slice of the first core, so it is named by its digit. */
export function nodePairs(levels: readonly PrefixLevel[], k: number): Float32Array {
  const { count, digits, parents } = levels[k];
  const pairs = new Float32Array(2 * count);
  for (let node = 0; node < count; node++) {
    pairs[2 * node] = k === 1 ? levels[0].digits[parents[node]] : parents[node];
    pairs[2 * node + 1] = digits[node];
  }
  return pairs;
}

/** Where the children of each node of level k − 1 start among the nodes of level k, and the end. */
export function childStarts(levels: readonly PrefixLevel[], k: number): Float32Array {
  const { count, parents } = levels[k];
  const starts = new Float32Array(levels[k - 1].count + 1).fill(count);
  // Nodes are in the order of their prefixes, so the children of a node lie together.
  for (let node = count - 1; node >= 0; node--) starts[parents[node]] = node;
  return starts;
}

/** Pairs (node, parent) of a level's nodes, by digit; parents as in `nodePairs`. */
export function segmentPairs(levels: readonly PrefixLevel[], k: number): Float32Array {
  const { byDigit, parents } = levels[k];
  const pairs = new Float32Array(2 * byDigit.length);
  for (const [i, node] of byDigit.entries()) {
    pairs[2 * i] = node;
    pairs[2 * i + 1] = k === 1 ? levels[0].digits[parents[node]] : parents[node];
  }
  return pairs;
}
