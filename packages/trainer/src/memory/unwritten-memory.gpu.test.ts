import { Dataset } from "@kto/datasets";
import { getPeftModel } from "@kto/lora";
import { Qwen2ForCausalLM } from "@kto/qwen2";
import { fileDirectory } from "@kto/qwen2/node";
import { requestDevice, type Device } from "@kto/tensor";
import { fixturePath } from "@kto/testing/workspace";
import { expect, test } from "vitest";
import { KTOTrainer } from "../index.js";

/** Fills every buffer that a tensor gets with NaN, past the tensor's end too: kernels bind it to its end. */
function poison(device: Device): void {
  const empty = device.empty.bind(device);
  device.empty = (...of) => {
    const tensor = empty(...of);
    const { buffer, byteLength: size } = tensor.storage;
    device.recorder.write({ buffer, offset: 0, size }, new Uint8Array(size).fill(0xff));
    return tensor;
  };
}

/** Losses and adapter of a run on rows of changing lengths, in passes that take the memory of the largest. */
async function train(folder: string, isPoisoned: boolean): Promise<{ losses: number[]; adapter: Float32Array[] }> {
  await using device = await requestDevice();
  if (isPoisoned) poison(device);
  using base = await Qwen2ForCausalLM.fromPretrained(fileDirectory(fixturePath(folder)), { device });
  using model = getPeftModel(base, { r: 4, loraDropout: 0.1, targetModules: "all-linear" }, { seed: 5 });
  const lengths = [7, 40, 19, 3, 66, 12, 25, 31];
  const rows = lengths.map((length, row) => {
    const ids = Array.from({ length }, (_, position) => (row * 31 + position * 7) % 500);
    return { prompt_ids: ids.slice(0, Math.ceil(length / 3)), completion_ids: ids.slice(Math.ceil(length / 3)), label: row % 3 !== 0 };
  });
  const trainer = new KTOTrainer({
    model,
    trainDataset: Dataset.from(rows),
    args: {
      perDeviceTrainBatchSize: 2,
      maxSteps: 4,
      learningRate: 1e-2,
      saveStrategy: "no",
      loggingSteps: 1,
      optim: "adamw_8bit",
      disableDropout: false,
    },
  });
  const losses: number[] = [];
  for await (const { loss } of trainer.train()) losses.push(loss);
  return { losses, adapter: [...(await model.readAdapter()).values()].flatMap(({ a, b }) => [a, b]) };
}

test.each(["model-bf16", "nf4/model-dynamic"])("no kernel reads what nobody wrote: %s", async (folder) => {
  const expected = await train(folder, false);
  expect(expected.losses.at(-1)).not.toBe(0.5);
  expect(await train(folder, true)).toEqual(expected);
});
