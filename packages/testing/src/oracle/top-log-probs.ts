import { topLogProbs as topLogProbsOp } from "@kto/tensor";
import { indices, Numbers, type OracleCase } from "../check/case.js";

/** log softmax of a row. */
export function logSoftmax(logits: ArrayLike<number>): Float64Array {
  const values = Float64Array.from(logits);
  const largest = values.reduce((a, b) => Math.max(a, b), -Infinity);
  const logSum = Math.log(values.reduce((sum, logit) => sum + Math.exp(logit - largest), 0));
  return values.map((logit) => logit - largest - logSum);
}

/** Rows of random logits, an id of each, and their likeliest ids. `values` makes a logit of a normal number. */
function topLogProbsCase(
  name: string,
  ids: number[],
  vocabSize: number,
  numTop: number,
  values: (normal: number, id: number) => number = (x) => 3 * x,
): OracleCase {
  const numbers = new Numbers(vocabSize + ids.length);
  const data = Float64Array.from({ length: ids.length * vocabSize }, (_, i) => Math.fround(values(numbers.normal(), i % vocabSize)));
  return {
    name: `topLogProbs ${name}: ${numTop} of ${ids.length} × ${vocabSize}`,
    inputs: { logits: { data, shape: [ids.length, vocabSize], dtype: "f32", needsGradient: false }, ids: indices(ids) },
    forward: ({ logits }) => ({
      y: Float64Array.from(
        ids.flatMap((id, row) => {
          const logProbs = logSoftmax(logits!.subarray(row * vocabSize, (row + 1) * vocabSize));
          const order = Array.from(logProbs.keys()).sort((a, b) => logProbs[b]! - logProbs[a]! || a - b);
          const top = order.slice(0, numTop);
          return [logProbs[id]!, ...top.map((one) => logProbs[one]!), ...top];
        }),
      ),
    }),
    run: ({ logits, ids: drawn }) => ({ y: topLogProbsOp(logits!, drawn!, numTop) }),
    errorClass: "rowReduction",
  };
}

export const topLogProbsCases: OracleCase[] = [
  topLogProbsCase("one id", [0], 1, 1),
  topLogProbsCase("the drawn ids alone", [4, 0, 69], 70, 0),
  topLogProbsCase("odd", [64, 3, 0, 31], 65, 5),
  topLogProbsCase("the most", [4999, 17], 5000, 20),
  topLogProbsCase("all there are", [6, 1], 7, 7),
  topLogProbsCase("equal logits", [5, 199], 200, 20, (_x, id) => (id % 3 === 0 ? 1 : 2)),
  topLogProbsCase("zeros of both signs", [1], 40, 10, (_x, id) => (id % 2 === 0 ? -0 : 0)),
  topLogProbsCase("far apart", [2, 300], 301, 4, (x, id) => (id === 2 ? 90 : 20 * x)),
];
