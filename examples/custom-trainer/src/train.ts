import { withoutAdapters, type PeftModel } from "@kto/lora";
import { ktoLoss } from "@kto/losses";
import { AdamW, createSchedule } from "@kto/optim";
import type { Qwen2ForCausalLM } from "@kto/qwen2";
import { backward } from "@kto/tensor";
import { packScoredBatch, scoreBatch } from "@kto/trainer";
import type { Example } from "./quickstart.js";

/** One update, as it happened. */
export interface Update {
  step: number;
  loss: number;
  gradNorm: number;
}

/** KTO over the examples in order, `batchSize` at a time; the adapter of the model is trained. */
export async function* train(
  model: PeftModel<Qwen2ForCausalLM>,
  examples: readonly Example[],
  { batchSize = 32, learningRate = 4e-3, beta = 1 } = {},
): AsyncGenerator<Update, void> {
  const { device, base } = model;
  const { bucket } = model.activeAdapter;
  const numSteps = Math.floor(examples.length / batchSize);
  const schedule = createSchedule({ name: "linear", learningRate, numTrainingSteps: numSteps });
  using optimizer = new AdamW([bucket]);
  using gradients = bucket.like("gradients");

  for (let step = 0; step < numSteps; step++) {
    const batch = examples.slice(step * batchSize, (step + 1) * batchSize);
    // Each prompt with the next row's completion: what the KL estimate is made of.
    const mismatched = batch.map(({ promptIds }, row) => ({ promptIds, completionIds: batch[(row + 1) % batchSize]!.completionIds }));

    const { loss, gradNorm } = device.scope("update", () => {
      // log π(completion | prompt) of each row; a batch is packed once for the policy and its reference, the base without the adapter.
      const [matchedRows, mismatchedRows] = [packScoredBatch(base, batch), packScoredBatch(base, mismatched)];
      const policyKlLogProbs = device.noGrad(() => scoreBatch(base, mismatchedRows).logProbs); // [batchSize]
      const refKlLogProbs = device.noGrad(() => withoutAdapters(model, () => scoreBatch(base, mismatchedRows).logProbs)); // [batchSize]
      const refLogProbs = device.noGrad(() => withoutAdapters(model, () => scoreBatch(base, matchedRows).logProbs)); // [batchSize]
      const policyLogProbs = scoreBatch(base, matchedRows).logProbs; // [batchSize], on the tape
      const labels = device.tensor(
        batch.map(({ label }) => (label ? 1 : 0)),
        [batchSize],
        "f32",
      ); // [batchSize]

      const { loss } = ktoLoss({ policyLogProbs, refLogProbs, policyKlLogProbs, refKlLogProbs, labels, beta }); // []
      gradients.clear();
      backward(loss, { sink: gradients.sink(bucket) }).dispose();
      return { loss: loss.detach(), gradNorm: optimizer.apply([gradients], { learningRate: schedule.rate(step), maxGradNorm: 1 }) };
    });
    const [[lossValue], [normValue]] = (await device.readAll([loss, gradNorm])) as [Float32Array, Float32Array];
    for (const tensor of [loss, gradNorm]) tensor.dispose();
    yield { step: step + 1, loss: lossValue!, gradNorm: normValue! };
  }
}
