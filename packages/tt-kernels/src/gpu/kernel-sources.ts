/**
 * The kernels as source text for gpu.js, which translates it to WGSL, GLSL, WebAssembly or JavaScript; text, because a
 * minifier may turn a function into what gpu.js cannot read. Every thread owns one element of the output and gathers what it needs,
 * so nothing is written twice and sums have a fixed order. All arrays are two-dimensional, with a row a node, slice or position;
 * an output of many rows comes in planes, one after the other in memory, so a row's number is `z · rows of a plane + y`.
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

const ROW = "const row = this.thread.z * this.output.y + this.thread.y;";

/** out = values. */
export function copySource(): string {
  return `function (values) {
    ${ROW}
    return values[row][this.thread.x];
  }`;
}

/**
 * One step along the train (paper: tr_k = tr_(k−1)·G_k): out[node] = parents[parent] · core[digit], with
 * nodes[node] = (parent, digit), a parent [·, rank], a slice [rank, right].
 */
export function productSource(rank: number, right: number): string {
  return `function (parents, core, nodes) {
    ${ROW}
    ${divide(right)}
    const parent = nodes[row][0];
    const digit = nodes[row][1];
    let sum = 0;
    for (let s = 0; s < ${rank}; s++) sum += parents[parent][i * ${rank} + s] * core[digit][s * ${right} + j];
    return sum;
  }`;
}

function term(weighted: boolean, at: string): string {
  return `${weighted ? `terms[${at}][1] * ` : ""}values[terms[${at}][0]][this.thread.x]`;
}

/** out[y] = the term y: row terms[y][0] of `values`, times terms[y][1] if weighted. */
export function gatherSource(weighted: boolean): string {
  return `function (values, terms) {
    ${ROW}
    return ${term(weighted, "row")};
  }`;
}

/** out[y] = sum of the terms from starts[y] to starts[y + 1]: pooling, and its transpose. */
export function gatherSumSource(weighted: boolean): string {
  return `function (values, terms, starts) {
    ${ROW}
    const end = starts[row + 1][0];
    let sum = 0;
    for (let t = starts[row][0]; t < end; t += 1) sum += ${term(weighted, "t")};
    return sum;
  }`;
}

/** out[y] = ⟨row of `values`, gradient of its output⟩, the derivative by a term's factor; pairs (row, output). */
export function dotSource(dim: number): string {
  return `function (values, gradient, pairs) {
    ${ROW}
    const vector = pairs[row][0];
    const output = pairs[row][1];
    let sum = 0;
    for (let x = 0; x < ${dim}; x++) sum += values[vector][x] * gradient[output][x];
    return sum;
  }`;
}

/**
 * Gradients one core back: out[parent] = sum over its children of gradients[child] · core[digit]ᵀ; the children of a parent
 * are the nodes from starts[parent] to starts[parent + 1].
 */
export function parentGradientSource(rank: number, right: number): string {
  return `function (gradients, core, nodes, starts) {
    ${ROW}
    ${divide(rank)}
    const end = starts[row + 1][0];
    let sum = 0;
    for (let child = starts[row][0]; child < end; child += 1) {
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
    ${ROW}
    ${divide(right)}
    const end = starts[row + 1][0];
    let sum = 0;
    for (let t = starts[row][0]; t < end; t += 1) {
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
    ${ROW}
    let sum = 0;
    for (let x = 0; x < ${columns}; x++) {
      const value = factor * values[row][x];
      sum += value * value;
    }
    return sum;
  }`;
}

/**
 * The start of an update: a row has been looked up if the rising list `touched` has its number; `slot` is then its place in
 * the list and in the stack of gradients.
 */
const FIND_SLOT = `${ROW}
    let slot = 0;
    let above = count;
    for (let step = 0; step < 24; step++) {
      if (slot < above) {
        const middle = Math.floor((slot + above) / 2);
        if (touched[middle][0] < row) {
          slot = middle + 1;
        } else {
          above = middle;
        }
      }
    }
    let found = 0;
    if (slot < count) {
      if (touched[slot][0] === row) found = 1;
    }`;

/** SGD: w − rate · gradient where a slice was looked up. */
export function sgdSource(): string {
  return `function (weights, gradients, touched, count, rate) {
    ${FIND_SLOT}
    let value = weights[row][this.thread.x];
    if (found === 1) value -= rate * gradients[slot][this.thread.x];
    return value;
  }`;
}

/** Adagrad's accumulator: h + (scale · gradient)². */
export function adagradStateSource(): string {
  return `function (state, gradients, touched, count, scale) {
    ${FIND_SLOT}
    let value = state[row][this.thread.x];
    if (found === 1) {
      const gradient = scale * gradients[slot][this.thread.x];
      value += gradient * gradient;
    }
    return value;
  }`;
}

/** Adagrad: w − rate · gradient / (√h + eps). */
export function adagradSource(): string {
  return `function (weights, state, gradients, touched, count, rate, eps) {
    ${FIND_SLOT}
    let value = weights[row][this.thread.x];
    if (found === 1) value -= rate * gradients[slot][this.thread.x] / (Math.sqrt(state[row][this.thread.x]) + eps);
    return value;
  }`;
}

/** Row-wise Adagrad's accumulator, one a slice: h + mean of the squares; squares [·, 1] has their sums. */
export function rowWiseStateSource(size: number): string {
  return `function (state, squares, touched, count) {
    ${FIND_SLOT}
    let value = state[row][this.thread.x];
    if (found === 1) value += squares[slot][this.thread.x] / ${size};
    return value;
  }`;
}

/** Row-wise Adagrad: w − rate · gradient / (√h + eps), h that of the slice. */
export function rowWiseSource(): string {
  return `function (weights, state, gradients, touched, count, rate, eps) {
    ${FIND_SLOT}
    let value = weights[row][this.thread.x];
    if (found === 1) value -= rate * gradients[slot][this.thread.x] / (Math.sqrt(state[row][0]) + eps);
    return value;
  }`;
}

/** Products of a batch of matrices: out[b] = a[b] · b[b], either one transposed as it is stored; extents m, n, and k that is summed over. */
export function batchedGemmSource(n: number, k: number, m: number, layout: "NN" | "NT" | "TN"): string {
  const a = layout === "TN" ? `s * ${m} + i` : `i * ${k} + s`;
  const b = layout === "NT" ? `j * ${k} + s` : `s * ${n} + j`;
  return `function (a, b) {
    ${ROW}
    ${divide(n)}
    let sum = 0;
    for (let s = 0; s < ${k}; s++) sum += a[row][${a}] * b[row][${b}];
    return sum;
  }`;
}
