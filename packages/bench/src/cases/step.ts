import { Dataset } from "@kto/datasets";
import { getPeftModel, type PeftModel } from "@kto/lora";
import type { DecoderForCausalLM } from "@kto/qwen2";
import { KTOTrainer } from "@kto/trainer";
import type { BenchCase, BenchContext } from "../measurement.js";
import { randomFourBitModel, randomModel } from "../random-model.js";
import { median } from "../timing.js";

/** Kernels that are listed. */
const numListed = 12;

/** Updates that compile, and that the clock rate rises in. */
const updatesBefore = 2;

/** A KTO update on a model in four bits with an adapter on all layers: its time, and what that went to. */
export const stepCase: BenchCase = {
  name: "step",
  about: "a KTO update on a four-bit model with an adapter of rank 16 on all layers, by kernel",
  needs: { device: true },
  async *run(context) {
    const { device, size, signal } = context;
    const { rows, accumulate, tokens, updates } = size.step;
    using base = device.capabilities.shaderF16 ? await randomFourBitModel(device, size.config) : randomModel(device, size.config, "f32");
    for (const gradientCheckpointing of [false, true]) {
      await device.memory.trim();
      device.memory.resetPeak();
      using model = getPeftModel(base, { r: 16, loraAlpha: 16, targetModules: "all-linear" }, { seed: 3407 });
      const times: number[] = [];
      const dispatches = device.recorder.numDispatches;
      for await (const { stepTimeMs } of trainer(context, model, { gradientCheckpointing, updates: updatesBefore + updates }).train({
        signal,
      }))
        times.push(stepTimeMs);
      const launches = (device.recorder.numDispatches - dispatches) / times.length;
      const { peakBytes } = device.memory.info();
      const milliseconds = median(times.slice(updatesBefore));
      const kernels = device.capabilities.timestampQuery ? await kernelsOf(context, model, gradientCheckpointing) : undefined;
      yield {
        name: `${rows} × ${accumulate} rows of ${tokens}, ${gradientCheckpointing ? "every layer run again" : "activations kept"}`,
        milliseconds,
        tokensPerSecond: (rows * accumulate * tokens) / (milliseconds / 1000),
        facts: { launches, mebibytes: peakBytes / 2 ** 20, kernelMilliseconds: kernels?.total ?? Number.NaN },
        ...(kernels && { kernels: kernels.hottest }),
      };
    }
  },
};

/** What the kernels of one update take, hottest first. */
async function kernelsOf(
  context: BenchContext,
  model: PeftModel<DecoderForCausalLM>,
  gradientCheckpointing: boolean,
): Promise<{ total: number; hottest: { label: string; count: number; milliseconds: number }[] }> {
  const { device, signal } = context;
  const { timings } = await device.recorder.profile(async () => {
    for await (const _ of trainer(context, model, { gradientCheckpointing, updates: 1 }).train({ signal }));
  });
  const byKernel = new Map<string, { label: string; count: number; milliseconds: number }>();
  for (const { label: whole, count, totalMs } of timings) {
    const label = whole.split(" ").slice(0, 2).join(" "); // kernel and variant, whatever it is specialised on
    const known = byKernel.get(label) ?? { label, count: 0, milliseconds: 0 };
    byKernel.set(label, { label, count: known.count + count, milliseconds: known.milliseconds + totalMs });
  }
  const hottest = [...byKernel.values()].sort((a, b) => b.milliseconds - a.milliseconds);
  return { total: timings.reduce((sum, { totalMs }) => sum + totalMs, 0), hottest: hottest.slice(0, numListed) };
}

/** Rows of which half is prompt, of ids that look random. */
function trainer(
  { size }: BenchContext,
  model: PeftModel<DecoderForCausalLM>,
  { gradientCheckpointing, updates }: { gradientCheckpointing: boolean; updates: number },
): KTOTrainer {
  const { rows, accumulate, tokens } = size.step;
  const { vocabSize } = size.config;
  const ids = (row: number, from: number): number[] =>
    Array.from({ length: tokens / 2 }, (_, position) => (row * 7919 + (from + position) * 104_729 + 17) % vocabSize);
  const data = Array.from({ length: rows * accumulate }, (_, row) => ({
    prompt_ids: ids(row, 0),
    completion_ids: ids(row, tokens / 2),
    label: row % 2 === 0,
  }));
  return new KTOTrainer({
    model,
    trainDataset: Dataset.from(data),
    args: {
      perDeviceTrainBatchSize: rows,
      gradientAccumulationSteps: accumulate,
      optim: "adamw_8bit",
      maxSteps: updates,
      loggingSteps: 1,
      maxLength: tokens,
      gradientCheckpointing,
      saveStrategy: "no",
    },
  });
}
