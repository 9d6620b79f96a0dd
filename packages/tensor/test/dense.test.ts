import { createRng, type Tensor } from "@tt-rec/tensor";
import { allClose, finiteDifferences, rejectsCode } from "@tt-rec/testing";
import test from "ava";
import { crews, engines } from "./dense-engines.ts";

for (const { kernels, name, of, normal } of engines) {
  const zeros = (shape: readonly number[]): Tensor => of(shape, []);

  for (const [rows, columns] of [
    [13, 7],
    [5, 37],
    [3, 64],
    [257, 1],
  ]) {
    test(`${name}: biasRelu adds a bias to ${columns} columns, and hands NaN on through ReLU`, async (t) => {
      const rng = createRng(6);
      const [start, bias] = [normal(rng, [rows, columns]).data.slice(), normal(rng, [columns])];
      start[rows * columns - 1] = Number.NaN;
      for (const [withBias, relu] of [
        [true, true],
        [true, false],
        [false, true],
        [false, false],
      ]) {
        const values = of([rows, columns], start);
        await kernels.biasRelu(values, { relu, ...(withBias && { bias }) });
        const sums = start.map((x, i) => (withBias ? x + bias.data[i % columns] : x));
        t.deepEqual(
          values.data,
          sums.map((x) => (relu && x < 0 ? 0 : x)),
        );
      }
    });

    test(`${name}: biasReluBackward sums ${columns} columns, and zeroes where the output is not positive`, async (t) => {
      const rng = createRng(5);
      const sum = (values: Float32Array): number[] =>
        Array.from({ length: columns }, (_, j) => values.reduce((total, x, i) => (i % columns === j ? total + x : total), 0));
      const gradient = normal(rng, [rows, columns]);
      const before = gradient.data.slice();
      const sums = normal(rng, [columns]);
      await kernels.biasReluBackward(gradient, sums);
      t.deepEqual(gradient.data, before);
      allClose(t, sums.data, sum(before), 1e-6);
      const activation = normal(rng, [rows, columns]);
      activation.data.set([0, -0, Number.NaN].slice(0, columns));
      await kernels.biasReluBackward(gradient, sums, activation);
      const expected = before.map((x, i) => (activation.data[i] > 0 ? x : 0));
      t.deepEqual(gradient.data, expected);
      allClose(t, sums.data, sum(expected), 1e-6);
    });
  }

  test(`${name}: biasReluBackward of no rows gives zeros, and refuses shapes that do not fit before it writes`, async (t) => {
    const sums = of([7], new Float32Array(7).fill(9));
    await kernels.biasReluBackward(zeros([0, 7]), sums);
    t.deepEqual([...sums.data], new Array(7).fill(0));
    await kernels.biasReluBackward(zeros([3, 0]), zeros([0]));
    const gradient = of([2, 2], [1, 2, 3, 4]);
    const two = zeros([2]);
    await rejectsCode(t, "E_SHAPE", kernels.biasReluBackward(gradient, zeros([3])), /\[2,2\] has 2 columns, the bias 3 elements/);
    await rejectsCode(t, "E_SHAPE", kernels.biasReluBackward(gradient.reshape([4]), zeros([4])), /two axes/);
    await rejectsCode(t, "E_SHAPE", kernels.biasReluBackward(gradient, two, zeros([3])), /activation \[3\]/);
    await rejectsCode(
      t,
      "E_SHAPE",
      kernels.biasRelu(gradient, { bias: zeros([3]) }),
      /\[2,2\] have 2 columns, the bias 3 elements/,
    );
    await rejectsCode(t, "E_SHAPE", kernels.biasRelu(gradient.reshape([4]), {}), /two axes/);
    const dead = zeros([2]);
    dead.dispose();
    await rejectsCode(t, "E_DISPOSED", kernels.biasReluBackward(gradient, dead, zeros([2, 2])));
    t.deepEqual([...gradient.data], [1, 2, 3, 4]);
  });

  test(`${name}: sigmoid neither overflows nor loses its small values`, async (t) => {
    const logits = of([7], [0, 100, -100, 1, -1, 1000, -1000]);
    const out = zeros([7]);
    await kernels.sigmoid(logits, out);
    allClose(t, out.data, [0.5, 1, 0, 0.7310585786, 0.2689414214, 1, 0], 1e-7);
    allClose(t, [out.data[2] * 1e40], [3.720075976e-44 * 1e40], 0.02); // a subnormal float32 has few bits left
    await kernels.sigmoid(logits, logits);
    allClose(t, logits.data, out.data, 0);
    await rejectsCode(t, "E_SHAPE", kernels.sigmoid(logits, zeros([6])));
  });

  test(`${name}: binary cross-entropy gives the loss of a known example`, async (t) => {
    const labels = Float32Array.of(1, 0, 1, 0, 0, 1, 0, 1);
    const probabilities = [0.9, 0.8, 0.7, 0.7, 0.4, 0.3, 0.3, 0.1];
    const logits = of(
      [8, 1],
      probabilities.map((p) => Math.log(p / (1 - p))),
    );
    const gradient = zeros([8, 1]);
    allClose(t, [await kernels.bceWithLogits(logits, labels, gradient)], [0.956188], 1e-6);
    const expected = probabilities.map((p, i) => (p - labels[i]) / 8);
    allClose(t, gradient.data, expected, 1e-6);
  });

  test(`${name}: binary cross-entropy is finite at logits of ±100`, async (t) => {
    const gradient = zeros([4]);
    const loss = await kernels.bceWithLogits(of([4], [100, 100, -100, -100]), Float32Array.of(1, 0, 1, 0), gradient);
    allClose(t, [loss], [50], 1e-12);
    allClose(t, gradient.data, [0, 0.25, -0.25, 0], 1e-12);
  });

  test(`${name}: the gradient of the cross-entropy is that of finite differences, soft labels included`, async (t) => {
    const rng = createRng(6);
    const start = Float64Array.from({ length: 11 }, () => Math.fround(3 * rng.normal()));
    const labels = Float32Array.from({ length: 11 }, () => rng.uniform());
    const loss = (z: Float64Array): number =>
      -z.reduce((sum, x, i) => {
        const p = 1 / (1 + Math.exp(-x));
        return sum + labels[i] * Math.log(p) + (1 - labels[i]) * Math.log(1 - p);
      }, 0) / z.length;
    const gradient = zeros([11]);
    allClose(t, [await kernels.bceWithLogits(of([11], start), labels, gradient)], [loss(start)], 1e-9);
    allClose(t, gradient.data, finiteDifferences(loss, start), 1e-6);
  });

  test(`${name}: the squared error and its gradient are those of the probabilities, of some samples of more, and at ±50`, async (t) => {
    const rng = createRng(8);
    const start = Float64Array.from({ length: 11 }, () => Math.fround(3 * rng.normal()));
    const labels = Float32Array.from({ length: 11 }, () => rng.uniform());
    const loss = (z: Float64Array): number => z.reduce((sum, x, i) => sum + (1 / (1 + Math.exp(-x)) - labels[i]) ** 2, 0) / 13;
    const gradient = zeros([11]);
    allClose(t, [await kernels.mseWithLogits(of([11], start), labels, gradient, { samples: 13 })], [loss(start)], 1e-9);
    allClose(t, gradient.data, finiteDifferences(loss, start), 1e-6);
    const ends = zeros([2, 1]);
    t.is(await kernels.mseWithLogits(of([2, 1], [50, -50]), Float32Array.of(0, 0), ends), 0.5);
    allClose(t, ends.data, [Math.exp(-50), 0], 1e-6);
  });

  test(`${name}: the cross-entropy takes a factor a class, and a mean over more samples than it is given`, async (t) => {
    const labels = Float32Array.of(1, 0, 1);
    const logits = of([3], [0.5, -2, 3]);
    const [plain, weighted] = [zeros([3]), zeros([3])];
    const single = async (i: number): Promise<number> =>
      kernels.bceWithLogits(of([1], [logits.data[i]]), labels.slice(i, i + 1), zeros([1]));
    const loss = await kernels.bceWithLogits(logits, labels, weighted, { weights: [0.25, 3], samples: 7 });
    allClose(t, [loss], [(3 * (await single(0)) + 0.25 * (await single(1)) + 3 * (await single(2))) / 7], 1e-12);
    await kernels.bceWithLogits(logits, labels, plain);
    const factors = [3, 0.25, 3];
    allClose(
      t,
      weighted.data,
      plain.data.map((g, i) => (g * 3 * factors[i]) / 7),
      1e-6,
    );
  });

  for (const size of [1, 7, 19, 16_387]) {
    test(`${name}: ${size} products, with and without an addend, also in place`, async (t) => {
      const rng = createRng(8);
      const [a, b, c] = [1, 2, 3].map(() => normal(rng, [size]));
      const out = of([size], new Float32Array(size).fill(Number.NaN));
      const products = a.data.map((x, i) => x * b.data[i]);
      const sums = products.map((x, i) => x + c.data[i]);
      await kernels.multiplyAdd(a, b, out);
      t.deepEqual(out.data, products);
      await kernels.multiplyAdd(a, b, c, c);
      t.deepEqual(c.data, sums);
      await kernels.multiplyAdd(a, b, a);
      t.deepEqual(a.data, products);
    });
  }

  test(`${name}: blocks of columns become a matrix, and the matrix blocks`, async (t) => {
    const rng = createRng(9);
    for (const widths of [[1], [3, 5], [4, 1, 16, 7], [0, 2]]) {
      const blocks = widths.map((width) => normal(rng, [11, width]));
      const total = widths.reduce((a, b) => a + b, 0);
      const matrix = zeros([11, total]);
      await kernels.joinColumns(blocks, matrix);
      const rows = Array.from({ length: 11 }, (_, row) =>
        blocks.flatMap(({ data }, i) => [...data.subarray(row * widths[i], (row + 1) * widths[i])]),
      );
      t.deepEqual([...matrix.data], rows.flat());
      const parts = widths.map((width) => zeros([11, width]));
      await kernels.splitColumns(matrix, parts);
      for (const [i, part] of parts.entries()) t.deepEqual(part.data, blocks[i].data);
    }
  });

  test(`${name}: products and blocks refuse what does not fit before they write`, async (t) => {
    const [out, matrix] = [of([3], [1, 2, 3]), of([2, 3], [1, 2, 3, 4, 5, 6])];
    await rejectsCode(t, "E_SHAPE", kernels.multiplyAdd(zeros([3]), zeros([2]), out), /3 and 2 elements/);
    await rejectsCode(t, "E_SHAPE", kernels.multiplyAdd(zeros([3]), zeros([3]), out, zeros([4])), /3 and 4 elements/);
    const refused = /the blocks \[2,1\], \[2,1\] are not those of a matrix \[2,3\]/;
    await rejectsCode(t, "E_SHAPE", kernels.joinColumns([zeros([2, 1]), zeros([2, 1])], matrix), refused);
    await rejectsCode(t, "E_SHAPE", kernels.joinColumns([zeros([1, 3])], matrix), /\[1,3\]/);
    await rejectsCode(t, "E_SHAPE", kernels.splitColumns(matrix, [zeros([2, 4])]), /\[2,4\]/);
    const dead = zeros([3]);
    dead.dispose();
    await rejectsCode(t, "E_DISPOSED", kernels.multiplyAdd(out, dead, out));
    t.deepEqual([...out.data, ...matrix.data], [1, 2, 3, 1, 2, 3, 4, 5, 6]);
  });

  test(`${name}: the loss of no samples is 0, and sizes that differ are refused before a write`, async (t) => {
    t.is(await kernels.bceWithLogits(zeros([0]), new Float32Array(0), zeros([0])), 0);
    const gradient = of([2], [7, 7]);
    await rejectsCode(t, "E_SHAPE", kernels.bceWithLogits(zeros([2]), new Float32Array(3), gradient));
    await rejectsCode(t, "E_SHAPE", kernels.bceWithLogits(zeros([3]), new Float32Array(3), gradient));
    t.is(await kernels.mseWithLogits(zeros([0]), new Float32Array(0), zeros([0])), 0);
    await rejectsCode(t, "E_SHAPE", kernels.mseWithLogits(zeros([2]), new Float32Array(3), gradient));
    await rejectsCode(t, "E_SHAPE", kernels.mseWithLogits(zeros([3]), new Float32Array(3), gradient));
    t.deepEqual([...gradient.data], [7, 7]);
  });

  test(`${name}: sums of squares are those of float64, also beyond float32, and not finite where an element is not`, async (t) => {
    const tensors = [0, 1, 3, 16_384, 50_021].map((size, i) => normal(createRng(i), [size]));
    tensors.push(of([3], [1e30, 1e-30, 3e38]));
    const exact = tensors.map(({ data }) => [...data].reduce((sum, x) => sum + x * x, 0));
    const sums = await kernels.sumsOfSquares(tensors);
    for (const [i, sum] of sums.entries()) allClose(t, [sum], [exact[i]], 1e-12);
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      for (const at of [0, 16_383, 50_020]) {
        const [good, tensor] = [tensors[2], normal(createRng(7), [50_021])];
        tensor.data[at] = bad;
        t.deepEqual((await kernels.sumsOfSquares([good, tensor])).map(Number.isFinite), [true, false]);
      }
    }
    t.deepEqual(await kernels.sumsOfSquares([]), []);
    const dead = zeros([3]);
    dead.dispose();
    await rejectsCode(t, "E_DISPOSED", kernels.sumsOfSquares([tensors[1], dead]));
  });
}

for (const crew of crews) {
  test(`column sums and sums of squares have the same bits on ${crew.map(({ name }) => name).join(", ")}`, async (t) => {
    const results = [];
    for (const { kernels, normal, of } of crew) {
      const rng = createRng(8);
      const [gradient, activation, sums] = [normal(rng, [1031, 211]), normal(rng, [1031, 211]), of([211], [])];
      await kernels.biasReluBackward(gradient, sums, activation);
      results.push([gradient.data, sums.data, await kernels.sumsOfSquares([activation, gradient])]);
    }
    for (const result of results) t.deepEqual(result, results[0]);
  });
}
