import { Matrix, SingularValueDecomposition } from "ml-matrix";
import { modeTensor } from "../src/decompose/mode-tensor.ts";

/** The rival: the same sequence of truncated SVDs, each by ml-matrix's Golub-Kahan SVD of the whole unfolding. */
export function mlMatrixTtSvd(
  matrix: Float64Array,
  { rowShape, columnShape, maxRank }: { rowShape: number[]; columnShape: number[]; maxRank: number },
): Matrix[] {
  let rest = Array.from(modeTensor(matrix, rowShape, columnShape));
  let rank = 1;
  const factors: Matrix[] = [];
  for (let k = 0; k + 1 < rowShape.length; k++) {
    const rows = rank * rowShape[k] * columnShape[k];
    const unfolding = Matrix.from1DArray(rows, rest.length / rows, rest);
    const svd = new SingularValueDecomposition(unfolding, { autoTranspose: true });
    rank = Math.min(maxRank, svd.diagonal.length);
    const left = svd.leftSingularVectors.subMatrix(0, rows - 1, 0, rank - 1);
    factors.push(left);
    rest = left.transpose().mmul(unfolding).to1DArray();
  }
  factors.push(Matrix.from1DArray(rank, rest.length / rank, rest));
  return factors;
}
