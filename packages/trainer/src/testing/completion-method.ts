import type { DataRow, Dataset } from "@kto/datasets";
import { backward, concat, mean, scale, type Tensor } from "@kto/tensor";
import {
  cutRow,
  inPasses,
  packScoredBatch,
  rowLengths,
  scoreBatch,
  tokenizeRow,
  type BackwardPass,
  type Method,
  type MethodContext,
  type NamedValues,
  type PassOptions,
  type PrepareOptions,
  type PreparedRows,
  type ScoredRow,
  type SourceRow,
} from "../index.js";

/** A prompt and the answer to learn. */
interface CompletionRow extends ScoredRow, SourceRow {}

/** Likelihood of completions: −log π(completion | prompt), the mean over rows. A method as a user might write one, all of it in one place. */
export const completionMethod: Method<CompletionRow> = {
  name: "completion",

  async prepare(dataset: Dataset<DataRow>, options: PrepareOptions): Promise<PreparedRows<CompletionRow>> {
    const { maxLength = 1024 } = options;
    const whole = Array.from(dataset, (row, index) => ({ ...tokenizeRow(row, index, options), sourceIndex: index }));
    return { rows: whole.map((row) => cutRow(row, maxLength)), dropped: [], lengths: rowLengths(whole, maxLength) };
  },

  passes: (rows) => [rows],

  record(context, rows, _before, backwardPass) {
    const parts = inPasses(context, rows, (part, options) =>
      completionPass(context, { rows: part, numRows: rows.length, ...options }, backwardPass),
    );
    const losses = concat(parts.map((part) => part.losses)); // [numRows]
    return { loss: mean(losses), losses, entropy: concat(parts.map((part) => part.entropy)) };
  },

  metrics({ losses, entropy }: NamedValues, rows) {
    const numTokens = rows.reduce((total, { completionIds }) => total + completionIds.length, 0);
    const sum = (values: ArrayLike<number>): number => Array.from(values).reduce((total, value) => total + value, 0);
    return { token_loss: sum(losses!) / numTokens, entropy: sum(entropy!) / numTokens };
  },
};

/** −log-probability of some rows, and their share of the gradient of the mean over all `numRows`. */
function completionPass(
  { model, layout }: MethodContext,
  { rows, numRows, ...options }: PassOptions & { rows: readonly CompletionRow[]; numRows: number },
  backwardPass: BackwardPass | undefined,
): { losses: Tensor; entropy: Tensor } {
  const { device, base } = model;
  return device.scope("completion pass", () => {
    const batch = packScoredBatch(base, rows, options);
    const pass = (): ReturnType<typeof scoreBatch> =>
      scoreBatch(base, batch, { metrics: true, gradientCheckpointing: backwardPass ? layout.checkpointedLayers : 0 });
    const { logProbs, entropy } = backwardPass ? pass() : device.noGrad(pass);
    backwardPass?.onForward?.();
    const losses = scale(logProbs, -1); // [b]
    if (backwardPass) backward(mean(losses), { ...backwardPass, scale: (backwardPass.scale * rows.length) / numRows }).dispose();
    return { losses: losses.detach(), entropy: entropy! };
  });
}
