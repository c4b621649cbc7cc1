import type { Qwen2ForCausalLM } from "@kto/qwen2";
import { gatherRows, segmentSum, type Tensor } from "@kto/tensor";

/** A prompt, its completion, and whether it was liked. */
export interface Example {
  promptIds: number[];
  completionIds: number[];
  label: boolean;
}

/**
 * log π(completion | prompt) of each row: the sum over its tokens of log softmax(logits)[token], with logits only where a token is scored.
 *
 * @returns [numRows] f32 nats
 */
export function completionLogProbs(model: Qwen2ForCausalLM, rows: readonly Pick<Example, "promptIds" | "completionIds">[]): Tensor {
  const { device } = model;
  const ids = (values: number[]): Tensor => device.tensor(values, [values.length], "u32");
  const before: number[] = []; // the token before each scored one, in the packed batch
  const bounds = [0]; // where each row's scored tokens begin
  let offset = 0;
  for (const { promptIds, completionIds } of rows) {
    completionIds.forEach((_, index) => before.push(offset + promptIds.length + index - 1));
    offset += promptIds.length + completionIds.length;
    bounds.push(before.length);
  }
  return device.scope("completionLogProbs", () => {
    const hidden = model.hiddenStates(model.packRows(rows.map(({ promptIds, completionIds }) => [...promptIds, ...completionIds]))); // [numTokens, hiddenSize]
    const labels = ids(rows.flatMap(({ completionIds }) => completionIds));
    const { logProbs } = model.logProbs(gatherRows(hidden, ids(before)), labels); // [numScored]
    return segmentSum(logProbs, ids(bounds)); // [numRows]
  });
}
