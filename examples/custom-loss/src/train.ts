import { withoutAdapters, type PeftModel } from "@kto/lora";
import { AdamW } from "@kto/optim";
import { backward, type CausalLM } from "@kto/tensor";
import { packScoredBatch, scoreBatch, type ScoredRow } from "@kto/trainer";
import { marginLoss } from "./margin-loss.js";

/** Ids of a prompt and its answer, and whether it was liked. */
export interface Example extends ScoredRow {
  label: boolean;
}

/** Goes through the examples in order, `batchSize` at a time, and gives the loss of each update; the model's adapter is trained. */
export async function* train(
  model: PeftModel<CausalLM>,
  examples: readonly Example[],
  { batchSize = 32, learningRate = 4e-3 } = {},
): AsyncGenerator<number, void> {
  const { device, base } = model;
  const { bucket } = model.activeAdapter;
  using optimizer = new AdamW([bucket]);
  using gradients = bucket.like("gradients");

  for (let start = 0; start + batchSize <= examples.length; start += batchSize) {
    const rows = examples.slice(start, start + batchSize);
    using loss = device.scope("update", () => {
      const batch = packScoredBatch(base, rows);
      const refLogProbs = device.noGrad(() => withoutAdapters(model, () => scoreBatch(base, batch).logProbs)); // [batchSize]
      const policyLogProbs = scoreBatch(base, batch).logProbs; // [batchSize], on the tape
      const signs = device.tensor(
        rows.map(({ label }) => (label ? 1 : -1)),
        [rows.length],
        "f32",
      );
      const loss = marginLoss(policyLogProbs, refLogProbs, signs);
      gradients.clear();
      backward(loss, { sink: gradients.sink(bucket) }).dispose();
      optimizer.apply([gradients], { learningRate, maxGradNorm: 1 }).dispose();
      return loss.detach();
    });
    yield await loss.item();
  }
}
