import { Dataset } from "@kto/datasets";
import { getPeftModel } from "@kto/lora";
import { emptyCausalLM, type Qwen2Config } from "@kto/qwen2";
import { matrixGpu } from "@kto/testing/workspace";
import { rehearsalDevice } from "@kto/tensor";
import { expect, it } from "vitest";
import { KTOTrainer, type KTOConfig } from "../index.js";
import { shape1b5, shape7b } from "../testing/large-models.js";

/** MiB that are planned for updates of 2 × 4 rows, half of each prompt, on a model in four bits with double quantisation, every layer checkpointed. */
async function planned(config: Qwen2Config, tokensPerRow: number, args: Partial<KTOConfig>, budgetMiB?: number): Promise<number> {
  using device = rehearsalDevice(matrixGpu);
  if (budgetMiB !== undefined) device.memory.budgetBytes = budgetMiB * 2 ** 20;
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
      saveStrategy: "no",
      ...args,
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
  expect(await planned(config, tokensPerRow, {}), name).toBeLessThanOrEqual(recorded.planned);
  expect(await planned(config, tokensPerRow, { offloadEmbedding: true }), `${name}, without the embedding`).toBeLessThanOrEqual(
    recorded.offloaded,
  );
});

it.each([2500, 3000, 4000])("a run whose buffers lie close is planned within a budget of %i MiB, and not refused", async (budgetMiB) => {
  const args = { offloadEmbedding: true, gradientCheckpointing: "auto" } as const;
  const most = await planned(shape1b5, 512, args, budgetMiB);
  expect(most).toBeLessThanOrEqual(budgetMiB);
  expect(most).toBeGreaterThan(0.9 * budgetMiB);
});
