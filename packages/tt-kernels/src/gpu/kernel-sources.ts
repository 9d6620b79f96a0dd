/**
 * The kernels as source text for gpu.js, which translates it to WGSL, GLSL, WebAssembly or JavaScript; text, because a
 * minifier may turn a function into what gpu.js cannot read. Every thread owns one element of the output and gathers what it needs,
 * so nothing is written twice and sums have a fixed order. All arrays are two-dimensional: a row a node, slice or position.
 *
 * Numbers in kernels are float32: ids and positions are exact below 2^24. Quotients get half a unit first, because a
 * device may divide inexactly. Loop variables grow by `+= 1`: gpu.js has them as floats, which WGSL does not increment.
 */

/** How a kernel's columns divide: column = i · `columns` + j. */
function divide(columns: number): string {
  return columns === 1
    ? "const i = this.thread.x; const j = 0;"
    : `const i = Math.floor((this.thread.x + 0.5) / ${columns}); const j = this.thread.x - i * ${columns};`;
}

/** out = values. */
export function copySource(): string {
  return "function (values) { return values[this.thread.y][this.thread.x]; }";
}

/**
 * One step along the train (paper: tr_k = tr_(k−1)·G_k): out[node] = parents[parent] · core[digit], with
 * nodes[node] = (parent, digit), a parent [·, rank], a slice [rank, right].
 */
export function productSource(rank: number, right: number): string {
  return `function (parents, core, nodes) {
    ${divide(right)}
    const parent = nodes[this.thread.y][0];
    const digit = nodes[this.thread.y][1];
    let sum = 0;
    for (let s = 0; s < ${rank}; s++) sum += parents[parent][i * ${rank} + s] * core[digit][s * ${right} + j];
    return sum;
  }`;
}

/** What a term of a gathered sum holds besides its row. */
export interface TermForm {
  /** Whether a factor comes with each term. */
  readonly weighted: boolean;
  /** Whether several vectors lie in a row of `values`, so that each term names the first column of its own. */
  readonly folded: boolean;
}

/** Numbers a term: row, column if folded, factor if weighted. */
export function termWidth({ weighted, folded }: TermForm): number {
  return 1 + Number(folded) + Number(weighted);
}

function term({ weighted, folded }: TermForm, at: string): string {
  const column = folded ? `terms[${at}][1] + this.thread.x` : "this.thread.x";
  const factor = weighted ? `terms[${at}][${folded ? 2 : 1}] * ` : "";
  return `${factor}values[terms[${at}][0]][${column}]`;
}

/** out[y] = the term y of `values`. */
export function gatherSource(form: TermForm): string {
  return `function (values, terms) { return ${term(form, "this.thread.y")}; }`;
}

/** out[y] = sum of the terms from starts[y] to starts[y + 1]: pooling, and its transpose. */
export function gatherSumSource(form: TermForm): string {
  return `function (values, terms, starts) {
    const end = starts[this.thread.y + 1][0];
    let sum = 0;
    for (let t = starts[this.thread.y][0]; t < end; t += 1) sum += ${term(form, "t")};
    return sum;
  }`;
}

/** out[y] = ⟨vector of term y, gradient of its output⟩, the derivative by the term's factor; terms (row, output[, column]). */
export function dotSource(dim: number, folded: boolean): string {
  return `function (values, gradient, terms) {
    const row = terms[this.thread.y][0];
    const output = terms[this.thread.y][1];
    const first = ${folded ? "terms[this.thread.y][2]" : "0"};
    let sum = 0;
    for (let x = 0; x < ${dim}; x++) sum += values[row][first + x] * gradient[output][x];
    return sum;
  }`;
}

/**
 * Gradients one core back: out[parent] = sum over its children of gradients[child] · core[digit]ᵀ; the children of a parent
 * are the nodes from starts[parent] to starts[parent + 1].
 */
export function parentGradientSource(rank: number, right: number): string {
  return `function (gradients, core, nodes, starts) {
    ${divide(rank)}
    const end = starts[this.thread.y + 1][0];
    let sum = 0;
    for (let child = starts[this.thread.y][0]; child < end; child += 1) {
      const digit = nodes[child][1];
      for (let x = 0; x < ${right}; x++) sum += gradients[child][i * ${right} + x] * core[digit][j * ${right} + x];
    }
    return sum;
  }`;
}

/**
 * The gradient of core slices: out[slice] = sum over the nodes of its digit of productᵀ · gradient; segment [node, parent], a
 * parent [left, rank], a gradient [left, right].
 */
export function coreGradientSource(left: number, rank: number, right: number): string {
  return `function (parents, gradients, segment, starts) {
    ${divide(right)}
    const end = starts[this.thread.y + 1][0];
    let sum = 0;
    for (let t = starts[this.thread.y][0]; t < end; t += 1) {
      const node = segment[t][0];
      const parent = segment[t][1];
      for (let m = 0; m < ${left}; m++) sum += parents[parent][m * ${rank} + i] * gradients[node][m * ${right} + j];
    }
    return sum;
  }`;
}

/** out[y] = sum of the squares of factor · values[y]. */
export function squaresSource(columns: number): string {
  return `function (values, factor) {
    let sum = 0;
    for (let x = 0; x < ${columns}; x++) {
      const value = factor * values[this.thread.y][x];
      sum += value * value;
    }
    return sum;
  }`;
}

/**
 * The start of an update: row i·… of an array that holds `fold` slices of `size` elements a row has been looked up if the
 * rising list `touched` has it; then `slot` is its place in the list and in the stack of gradients.
 */
function findSlot(size: number, fold: number): string {
  return `${divide(size)}
    const slice = this.thread.y * ${fold} + i;
    let slot = 0;
    let above = count;
    for (let step = 0; step < 24; step++) {
      if (slot < above) {
        const middle = Math.floor((slot + above) / 2);
        if (touched[middle][0] < slice) {
          slot = middle + 1;
        } else {
          above = middle;
        }
      }
    }
    let found = 0;
    if (slot < count) {
      if (touched[slot][0] === slice) found = 1;
    }`;
}

/** SGD: w − rate · gradient where a slice was looked up. */
export function sgdSource(size: number, fold: number): string {
  return `function (weights, gradients, touched, count, rate) {
    ${findSlot(size, fold)}
    let value = weights[this.thread.y][this.thread.x];
    if (found === 1) value -= rate * gradients[slot][j];
    return value;
  }`;
}

/** Adagrad's accumulator: h + (scale · gradient)². */
export function adagradStateSource(size: number, fold: number): string {
  return `function (state, gradients, touched, count, scale) {
    ${findSlot(size, fold)}
    let value = state[this.thread.y][this.thread.x];
    if (found === 1) {
      const gradient = scale * gradients[slot][j];
      value += gradient * gradient;
    }
    return value;
  }`;
}

/** Adagrad: w − rate · gradient / (√h + eps). */
export function adagradSource(size: number, fold: number): string {
  return `function (weights, state, gradients, touched, count, rate, eps) {
    ${findSlot(size, fold)}
    let value = weights[this.thread.y][this.thread.x];
    if (found === 1) value -= rate * gradients[slot][j] / (Math.sqrt(state[this.thread.y][this.thread.x]) + eps);
    return value;
  }`;
}

/** Row-wise Adagrad's accumulator, one a slice: h + mean of the squares; squares [·, 1] has their sums. */
export function rowWiseStateSource(size: number, fold: number): string {
  return `function (state, squares, touched, count) {
    ${findSlot(1, fold)}
    let value = state[this.thread.y][this.thread.x];
    if (found === 1) value += squares[slot][j] / ${size};
    return value;
  }`;
}

/** Row-wise Adagrad: w − rate · gradient / (√h + eps), h that of the slice. */
export function rowWiseSource(size: number, fold: number): string {
  return `function (weights, state, gradients, touched, count, rate, eps) {
    ${findSlot(size, fold)}
    let value = weights[this.thread.y][this.thread.x];
    if (found === 1) value -= rate * gradients[slot][j] / (Math.sqrt(state[this.thread.y][i]) + eps);
    return value;
  }`;
}

/** Products of a batch of matrices: out[b] = a[b] · b[b], either one transposed as it is stored; extents m, n, and k that is summed over. */
export function batchedGemmSource(n: number, k: number, m: number, layout: "NN" | "NT" | "TN"): string {
  const a = layout === "TN" ? `s * ${m} + i` : `i * ${k} + s`;
  const b = layout === "NT" ? `j * ${k} + s` : `s * ${n} + j`;
  return `function (a, b) {
    ${divide(n)}
    let sum = 0;
    for (let s = 0; s < ${k}; s++) sum += a[this.thread.y][${a}] * b[this.thread.y][${b}];
    return sum;
  }`;
}
