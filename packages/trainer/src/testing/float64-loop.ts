import type { KTOConfig, ScoredRow } from "../index.js";
import { ktoLossPlain } from "@kto/losses/plain";
import { float64Scores, Matrix, type Float64Config, type Float64Weights } from "./float64-decoder.js";

/** A loss of a micro-batch and its gradient by the log-probability of each scored token of each row. */
export interface Float64Loss {
  loss: number;
  /** By row, by scored token. */
  gradients: readonly (readonly number[])[];
}

/** One line of the log. */
export interface Float64Log extends Record<string, number> {
  step: number;
  loss: number;
  grad_norm: number;
}

/** How a run goes: batches of an update, each with its loss by the log-probabilities of its rows. */
export interface Float64Run<Row extends ScoredRow> {
  weights: Float64Weights;
  config: Float64Config;
  args: Pick<KTOConfig, "learningRate" | "weightDecay" | "maxGradNorm" | "adamBeta1" | "adamBeta2" | "adamEpsilon">;
  /** Micro-batches of each update. */
  updates: readonly (readonly (readonly Row[])[])[];
  lossOf(logProbs: readonly (readonly number[])[], batch: readonly Row[], update: readonly (readonly Row[])[]): Float64Loss;
}

/** Parameters that transformers 5 keeps out of weight decay, by its patterns of names. */
const undecayed = /bias|layernorm|rmsnorm|(?:^|\.)norm(?:$|\.)|_norm(?:$|\.)/;

/** Trains every weight in float64 with AdamW at a constant rate, as torch and transformers do: clipping by the norm over all, decay first. Changes the weights. */
export function trainInFloat64<Row extends ScoredRow>({ weights, config, args, updates, lossOf }: Float64Run<Row>): Float64Log[] {
  const { learningRate, weightDecay, maxGradNorm, adamBeta1: beta1, adamBeta2: beta2, adamEpsilon } = args;
  const moments = new Map(Array.from(weights, ([name, { data }]) => [name, [data.map(() => 0), data.map(() => 0)] as const]));
  return updates.map((update, index) => {
    const step = index + 1;
    for (const { gradient } of weights.values()) gradient.fill(0);
    let loss = 0;
    for (const batch of update) {
      const scores = batch.map((row) => float64Scores(weights, config, row));
      const found = lossOf(
        scores.map(({ logProbs }) => [...logProbs.data]),
        batch,
        update,
      );
      loss += found.loss / update.length;
      scores.forEach(({ logProbs, backward }, row) => {
        logProbs.gradient.set(found.gradients[row]!.map((slope) => slope / update.length));
        backward();
      });
    }
    const all = [...weights.values()];
    const gradNorm = Math.sqrt(all.reduce((total, { gradient }) => gradient.reduce((sum, g) => sum + g * g, total), 0));
    const clip = Math.min(1, maxGradNorm / (gradNorm + 1e-6));
    for (const [name, { data, gradient }] of weights) {
      const [m, v] = moments.get(name)!;
      const decay = undecayed.test(name) ? 0 : weightDecay;
      gradient.forEach((raw, at) => {
        const g = raw * clip;
        data[at]! *= 1 - learningRate * decay;
        m[at] = beta1 * m[at]! + (1 - beta1) * g;
        v[at] = beta2 * v[at]! + (1 - beta2) * g * g;
        const root = Math.sqrt(v[at]) / Math.sqrt(1 - beta2 ** step) + adamEpsilon;
        data[at]! -= ((learningRate / (1 - beta1 ** step)) * m[at]) / root;
      });
    }
    return { step, loss, grad_norm: gradNorm };
  });
}

/** A copy that stays as it is. */
export function frozen(weights: Float64Weights): Float64Weights {
  return new Map(Array.from(weights, ([name, { numRows, width, data }]) => [name, new Matrix(numRows, width, data)]));
}

/** Sum of log-probabilities of each row. */
export function rowLogProbs(weights: Float64Weights, config: Float64Config, rows: readonly ScoredRow[]): number[] {
  return rows.map((row) => float64Scores(weights, config, row).logProbs.data.reduce((total, value) => total + value, 0));
}

/** KTO's loss of rows whose tokens have these log-probabilities. */
export function ktoInFloat64(
  logProbs: readonly (readonly number[])[],
  inputs: Omit<Parameters<typeof ktoLossPlain>[0], "policyLogProbs">,
): Float64Loss {
  const policyLogProbs = logProbs.map((tokens) => tokens.reduce((total, value) => total + value, 0));
  const { loss, gradient } = ktoLossPlain({ ...inputs, policyLogProbs });
  return { loss, gradients: logProbs.map((tokens, row) => tokens.map(() => gradient[row]!)) };
}
