import { defineOp } from "../autograd/define-op.js";
import type { Device } from "../device/device.js";
import type { FloatDtype } from "../dtype.js";
import { ShapeError } from "../errors.js";
import { packingOf } from "../kernels/lib/vector.js";
import { logProbsBackwardKernel, scaleRowsKernel } from "../kernels/log-probs-backward.wgsl.js";
import {
  collisionEntropyKernel,
  logitMetricsKernel,
  logProbsKernel,
  logSumExpKernel,
  softmaxStateSize,
} from "../kernels/log-sum-exp.wgsl.js";
import { expectDtype, expectShape } from "../shape.js";
import type { Tensor } from "../tensor.js";
import { gemm } from "./gemm.js";

/** What `linearLogProbs` gives besides log-probabilities; what is not asked for costs nothing. */
export interface LogProbsMetrics {
  /** Also entropy, mean logit and argmax. */
  metrics?: boolean | undefined;
  /** Also collision entropy. */
  collisionEntropy?: boolean | undefined;
}

/** Options of `linearLogProbs`. */
export interface LinearLogProbsOptions extends LogProbsMetrics {
  /** Vocabulary ids whose logits exist at a time; by default as many as fit 48 MiB, and at least 1024. */
  chunkSize?: number | undefined;
}

/** What `linearLogProbs` gives; only `logProbs` carries a gradient. */
export interface LinearLogProbs {
  /** [numTokens] f32, nats */
  logProbs: Tensor;
  /** [numTokens] f32, nats */
  logSumExp: Tensor;
  /** [numTokens] f32, nats */
  entropy?: Tensor;
  /** [numTokens] f32, mean over the vocabulary */
  meanLogit?: Tensor;
  /** [numTokens] u32, the lowest id with the largest logit */
  argmax?: Tensor;
  /** [numTokens] f32, nats: −ln Σ_v p_v², Rényi's entropy of order 2 */
  collisionEntropy?: Tensor;
}

/**
 * Of one chunk of logits. With 64 MiB they were the largest tensors of a step of the 1.5B shape (4 × 512 tokens, checkpointed) and held buffers of their own, 60 of 734 MiB beside the model; smaller ones take
 * those of the layers, for four chunks more in ten (rehearsed, 2026-12-01).
 */
const chunkBytes = 48 * 2 ** 20;
const minimumChunk = 1024;

/** A chunk takes a free buffer up to so many times as large: nothing else is in use that could want it. A step of the 7B shape holds 18 MiB less than with `briefFit`. */
const logitsFit = 4;

/** onehot − softmax lies in −1…1; as a GEMM operand in f16 it is scaled by this power of two, so that probabilities down to 4e-9 keep all digits. */
const operandScale = 2 ** 14;

/**
 * Log-probability of each label under the model, without building all logits.
 *
 *   logProbs[t] = logits[t, labels[t]] − logSumExp(logits[t, :]),  logits = hidden · weightᵀ
 *
 * The vocabulary is taken in chunks; max, scaled sum and the label's logit of each token are carried from one to the next in f32. Backward
 * computes the logits again.
 *
 * @param hidden  [numTokens, hiddenSize] f32 | f16
 * @param weight  [vocabSize, hiddenSize] f32 | f16
 * @param labels  [numTokens] u32, each below vocabSize
 * @returns       see LinearLogProbs; throws ShapeError when hiddenSize or numTokens differ
 */
export function linearLogProbs(
  hidden: Tensor,
  weight: Tensor,
  labels: Tensor,
  { chunkSize, metrics = false, collisionEntropy = false }: LinearLogProbsOptions = {},
): LinearLogProbs {
  expectDtype("linearLogProbs", "hidden", hidden, "f32", "f16");
  expectDtype("linearLogProbs", "weight", weight, "f32", "f16");
  expectDtype("linearLogProbs", "labels", labels, "u32");
  const [numTokens, hiddenSize] = hidden.shape;
  if (hidden.shape.length !== 2)
    throw new ShapeError(`linearLogProbs: hidden has the wrong shape; expected [numTokens, hiddenSize], got [${hidden.shape.join(", ")}]`);
  if (weight.shape.length !== 2 || weight.shape[1] !== hiddenSize) {
    throw new ShapeError(
      `linearLogProbs: weight has the wrong shape; expected [vocabSize, ${hiddenSize}], got [${weight.shape.join(", ")}]`,
    );
  }
  expectShape("linearLogProbs", "labels", labels, [numTokens!]);
  const { output, extra } = linearLogProbsOp(
    { hidden, weight, labels },
    { chunkSize: chunkSize ?? defaultChunk(hidden.rowCapacity ?? numTokens!, weight.shape[0]!), metrics, collisionEntropy },
  );
  return { logProbs: output, ...extra };
}

/** Equal chunks, a multiple of 128 ids wide, of at most `chunkBytes`. */
function defaultChunk(numTokens: number, vocabSize: number): number {
  const widest = Math.max(minimumChunk, Math.floor(chunkBytes / (4 * Math.max(numTokens, 1))));
  const count = Math.ceil(vocabSize / widest);
  return Math.min(vocabSize, Math.ceil(vocabSize / count / 128) * 128);
}

/** Calls `use` with the logits of each chunk of the vocabulary in turn; their buffer is reused by the next. */
function forEachChunk(
  device: Device,
  hidden: Tensor,
  weight: Tensor,
  chunkSize: number,
  use: (logits: Tensor, firstId: number, width: number) => void,
): void {
  const [numTokens, hiddenSize] = hidden.shape as [number, number];
  const vocabSize = weight.shape[0]!;
  for (let firstId = 0; firstId < vocabSize; firstId += chunkSize) {
    const width = Math.min(chunkSize, vocabSize - firstId);
    device.scope("chunk of the vocabulary", () =>
      device.withFit(logitsFit, () => {
        const logits = device.rowsLike(hidden, [numTokens, width], "f32", "logits");
        gemm({ a: hidden, b: weight, c: logits, m: numTokens, n: width, k: hiddenSize, transposeB: true, bOffset: firstId * hiddenSize });
        use(logits, firstId, width);
      }),
    );
  }
}

interface Attributes {
  chunkSize: number;
  metrics: boolean;
  collisionEntropy: boolean;
}

const linearLogProbsOp = defineOp("linearLogProbs", {
  forward(
    { device },
    { hidden, weight, labels }: { hidden: Tensor; weight: Tensor; labels: Tensor },
    { chunkSize, metrics, collisionEntropy: squares }: Attributes,
  ) {
    const numRows = labels.size;
    const state = device.rowsLike(hidden, [numRows, softmaxStateSize], "f32", "softmax state");
    forEachChunk(device, hidden, weight, chunkSize, (logits, firstId, width) => {
      logSumExpKernel.run(
        device,
        { logits, labels, state },
        { numRows, rowSize: width, firstId, isFirstChunk: firstId === 0 ? 1 : 0 },
        { metrics, squares },
      );
    });
    const vector = (label: string, dtype: "f32" | "u32" = "f32"): Tensor => device.rowsLike(hidden, [numRows], dtype, label);
    const [logProbs, logSumExp] = [vector("logProbs"), vector("logSumExp")];
    logProbsKernel.run(device, { state, logProbs, logSumExp }, { numRows }, {});
    const extra: Omit<LinearLogProbs, "logProbs"> = { logSumExp };
    if (metrics) {
      const [entropy, meanLogit, argmax] = [vector("entropy"), vector("meanLogit"), vector("argmax", "u32")];
      logitMetricsKernel.run(device, { state, entropy, meanLogit, argmax }, { numRows, vocabSize: weight.shape[0]! }, {});
      Object.assign(extra, { entropy, meanLogit, argmax });
    }
    if (squares) {
      extra.collisionEntropy = vector("collisionEntropy");
      collisionEntropyKernel.run(device, { state, collisionEntropy: extra.collisionEntropy }, { numRows }, {});
    }
    return { output: logProbs, saved: { hidden, weight, labels, logSumExp }, extra };
  },
  // g = onehot(labels) − softmax;  dHidden[t] = dy[t] · g[t] · weight;  dWeight = gᵀ · (dy · hidden)
  vjp({ device }, { hidden, weight, labels, logSumExp }, dy, needs, { chunkSize }) {
    const [numTokens, hiddenSize] = hidden.shape as [number, number];
    const gType = weight.dtype as FloatDtype;
    const scaled = { rowSize: hiddenSize, scale: 1 / operandScale };
    const sum = needs.hidden && device.rowsLike(hidden, hidden.shape, "f32", "g · weight");
    const dWeight = needs.weight && device.empty(weight.shape, "f32", "linearLogProbs dWeight");
    const scaledHidden = dWeight && device.rowsLike(hidden, hidden.shape, "f32", "dy · hidden");
    if (scaledHidden)
      scaleRowsKernel.run(
        device,
        { x: hidden, factors: dy, y: scaledHidden },
        { size: hidden.size, ...scaled },
        { xType: hidden.dtype as FloatDtype },
      );
    forEachChunk(device, hidden, weight, chunkSize, (logits, firstId, width) => {
      const g = device.rowsLike(logits, logits.shape, gType, "g");
      const { count, lanes, of } = packingOf(g.size, width);
      logProbsBackwardKernel.run(
        device,
        { logits, logSumExp, labels, g },
        { count, rowCount: width / lanes, firstId, scale: operandScale },
        { logitsType: of("f32"), dtype: of(gType) },
      );
      const offset = firstId * hiddenSize;
      if (sum) gemm({ a: g, b: weight, c: sum, m: numTokens, n: hiddenSize, k: width, bOffset: offset, accumulate: firstId > 0 });
      if (dWeight && scaledHidden)
        gemm({ a: g, b: scaledHidden, c: dWeight, m: width, n: hiddenSize, k: numTokens, transposeA: true, cOffset: offset });
    });
    const dHidden = sum && device.rowsLike(hidden, hidden.shape, "f32", "linearLogProbs dHidden");
    if (dHidden) scaleRowsKernel.run(device, { x: sum, factors: dy, y: dHidden }, { size: sum.size, ...scaled }, { xType: "f32" });
    return { hidden: dHidden, weight: dWeight };
  },
});
