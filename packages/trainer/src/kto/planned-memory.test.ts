import { Dataset } from "@kto/datasets";
import { getPeftModel } from "@kto/lora";
import { emptyCausalLM, type Qwen2Config } from "@kto/qwen2";
import { matrixGpu } from "@kto/testing/workspace";
import { rehearsalDevice } from "@kto/tensor";
import { expect, it } from "vitest";
import { KTOTrainer } from "../index.js";
import { shape1b5, shape7b } from "../testing/large-models.js";

/** MiB that are planned for updates of 2 × 4 rows, half of each prompt, on a model in four bits with double quantisation, every layer checkpointed. */
async function planned(config: Qwen2Config, tokensPerRow: number, offloadEmbedding: boolean): Promise<number> {
  using device = rehearsalDevice(matrixGpu);
  const base = emptyCausalLM(config, { device, quantization: { loadIn4bit: true, bnb4bitUseDoubleQuant: true } });
  const ids = new Array<number>(tokensPerRow / 2).fill(1);
  const trainer = new KTOTrainer({
    model: getPeftModel(base, { r: 16, loraAlpha: 16, targetModules: "all-linear" }),
    trainDataset: Dataset.from(Array.from({ length: 16 }, (_, row) => ({ prompt_ids: ids, completion_ids: ids, label: row % 2 === 0 }))),
    args: {
      perDeviceTrainBatchSize: 4,
      gradientAccumulationSteps: 2,
      optim: "adamw_8bit",
      maxSteps: 8,
      maxLength: tokensPerRow,
      gradientCheckpointing: true,
      offloadEmbedding,
      saveStrategy: "no",
    },
  });
  const { memory } = await trainer.plan();
  return Math.ceil(memory.peakBytes / 2 ** 20);
}

// An H200's driver counts about 100 MiB more. Less is better: put it here.
it.each([
  ["1.5B", 512, shape1b5, { planned: 2414, offloaded: 1968 }],
  ["1.5B", 1024, shape1b5, { planned: 2417, offloaded: 1971 }],
  ["7B", 512, shape7b, { planned: 7337, offloaded: 6297 }],
] as const)("a run takes no more memory than it did: %s, rows of %i tokens", async (name, tokensPerRow, config, recorded) => {
  expect(await planned(config, tokensPerRow, false), name).toBeLessThanOrEqual(recorded.planned);
  expect(await planned(config, tokensPerRow, true), `${name}, without the embedding`).toBeLessThanOrEqual(recorded.offloaded);
});
