import { linearLogProbs as linearLogProbsOp, type FloatDtype } from "@kto/tensor";
import { Numbers, type Arrays, type OracleCase } from "../check/case.js";

/** logits = hidden · weightᵀ; log-probability of each label, log-sum-exp, entropy, mean logit, argmax and collision entropy of each row. */
export function linearLogProbs({ hidden, weight, labels }: Arrays): Arrays & { y: Float64Array; logits: Float64Array } {
  const numTokens = labels!.length;
  const hiddenSize = hidden!.length / numTokens;
  const vocabSize = weight!.length / hiddenSize;
  const out = {
    y: row(),
    logSumExp: row(),
    entropy: row(),
    meanLogit: row(),
    argmax: row(),
    collisionEntropy: row(),
    logits: new Float64Array(numTokens * vocabSize),
  };
  function row(): Float64Array {
    return new Float64Array(numTokens);
  }
  for (let t = 0; t < numTokens; t++) {
    const logits = out.logits.subarray(t * vocabSize, (t + 1) * vocabSize);
    for (let v = 0; v < vocabSize; v++)
      for (let k = 0; k < hiddenSize; k++) logits[v]! += hidden![t * hiddenSize + k]! * weight![v * hiddenSize + k]!;
    const max = logits.reduce((a, b) => Math.max(a, b));
    const logSumExp = max + Math.log(logits.reduce((sum, z) => sum + Math.exp(z - max), 0));
    out.logSumExp[t] = logSumExp;
    out.y[t] = logits[labels![t]!]! - logSumExp;
    out.entropy[t] = logits.reduce((sum, z) => sum - Math.exp(z - logSumExp) * (z - logSumExp), 0);
    out.meanLogit[t] = logits.reduce((sum, z) => sum + z, 0) / vocabSize;
    out.argmax[t] = logits.indexOf(max);
    out.collisionEntropy[t] = -Math.log(logits.reduce((sum, z) => sum + Math.exp(z - logSumExp) ** 2, 0));
  }
  return out;
}

/** g = onehot(labels) − softmax;  dHidden[t] = dy[t] · g[t] · weight;  dWeight = gᵀ · (dy · hidden). */
export function linearLogProbsVjp(inputs: Arrays, dy: Float64Array): Arrays {
  const { hidden, weight, labels } = inputs;
  const { logits, logSumExp } = linearLogProbs(inputs);
  const hiddenSize = hidden!.length / dy.length;
  const vocabSize = weight!.length / hiddenSize;
  const dHidden = new Float64Array(hidden!.length);
  const dWeight = new Float64Array(weight!.length);
  for (let t = 0; t < dy.length; t++) {
    for (let v = 0; v < vocabSize; v++) {
      const g = dy[t]! * ((v === labels![t] ? 1 : 0) - Math.exp(logits[t * vocabSize + v]! - logSumExp![t]!));
      for (let k = 0; k < hiddenSize; k++) {
        dHidden[t * hiddenSize + k]! += g * weight![v * hiddenSize + k]!;
        dWeight[v * hiddenSize + k]! += g * hidden![t * hiddenSize + k]!;
      }
    }
  }
  return { hidden: dHidden, weight: dWeight };
}

interface Options {
  chunkSize?: number;
  metrics?: boolean;
  collisionEntropy?: boolean;
  dtype?: FloatDtype;
  scale?: number;
}

function linearLogProbsCase(
  numTokens: number,
  hiddenSize: number,
  vocabSize: number,
  { chunkSize, metrics = true, collisionEntropy = false, dtype = "f32", scale = 1 }: Options = {},
): OracleCase {
  const numbers = new Numbers(numTokens + vocabSize);
  const names = [
    "logSumExp" as const,
    ...(metrics ? (["entropy", "meanLogit", "argmax"] as const) : []),
    ...(collisionEntropy ? (["collisionEntropy"] as const) : []),
  ];
  return {
    name: `linearLogProbs ${numTokens} tokens, hidden ${hiddenSize}, vocab ${vocabSize} ${dtype}${chunkSize ? `, chunk ${chunkSize}` : ""}${metrics ? "" : ", no metrics"}${collisionEntropy ? ", collision entropy" : ""}${scale === 1 ? "" : `, scale ${scale}`}`,
    inputs: {
      hidden: numbers.input([numTokens, hiddenSize], { dtype, scale }),
      weight: numbers.input([vocabSize, hiddenSize], { dtype, needsGradient: dtype === "f32" }),
      labels: numbers.ids(numTokens, vocabSize),
    },
    forward(inputs) {
      const all = linearLogProbs(inputs);
      return { y: all.y, ...Object.fromEntries(names.map((name) => [name, all[name]!])) };
    },
    vjp: linearLogProbsVjp,
    run({ hidden, weight, labels }) {
      const { logProbs, ...others } = linearLogProbsOp(hidden!, weight!, labels!, { chunkSize, metrics, collisionEntropy });
      return { y: logProbs, ...Object.fromEntries(names.map((name) => [name, others[name]!])) };
    },
    errorClass: "rowReduction",
    gradientStorage: dtype,
  };
}

export const linearLogProbsCases: OracleCase[] = [
  linearLogProbsCase(5, 7, 37, { chunkSize: 8, collisionEntropy: true }),
  linearLogProbsCase(1, 1, 1),
  linearLogProbsCase(5, 7, 37),
  linearLogProbsCase(3, 16, 513, { chunkSize: 512, metrics: false }),
  linearLogProbsCase(3, 16, 513, { chunkSize: 512, metrics: false, collisionEntropy: true }),
  linearLogProbsCase(33, 8, 130, { chunkSize: 64, collisionEntropy: true, scale: 20 }), // peaked: logits of a hundred and more
  linearLogProbsCase(2, 4, 9000, { chunkSize: 4096 }),
  { ...linearLogProbsCase(3, 2, 151_936, { collisionEntropy: true, scale: 4 }), manyGroups: true }, // the vocabulary of Qwen2.5
  linearLogProbsCase(17, 32, 300, { chunkSize: 128, dtype: "f16" }),
];
