import { getPeftModel, type LoraWeights } from "@kto/lora";
import { requestDevice, type Device } from "@kto/tensor";
import { afterAll, beforeAll, expect, it } from "vitest";
import { DPOTrainer, type Collective, type DPOConfig, type TrainLog } from "../index.js";
import { meetingPlace } from "../testing/meeting-place.js";
import { tinyModel } from "../testing/tiny-model.js";
import { tinyPairs } from "../testing/tiny-pairs.js";

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device.dispose());

// aot sorts the pairs of one micro-batch of one rank, as in trl: its ranks are as many micro-batches.
it("with aot two ranks train as one with twice the accumulation", async () => {
  const lossType = "aot";
  const [first, second] = await Promise.all(meetingPlace(2).ranks.map((collective) => run({ lossType }, collective)));
  expect(second!.adapter).toEqual(first!.adapter);
  const numbers = ({ logs }: Run): unknown => logs.map(({ loss, gradNorm, metrics }) => ({ loss, gradNorm, metrics }));
  expect(numbers(second!)).toEqual(numbers(first!));
  const one = await run({ lossType, gradientAccumulationSteps: 2 });
  expect(first!.logs).toHaveLength(one.logs.length);
  expect(one.logs.at(-1)!.loss).toBeLessThan(0.68);
  for (const [index, { loss, gradNorm, metrics }] of first!.logs.entries()) {
    const expected = one.logs[index]!;
    expect(Math.abs(loss - expected.loss)).toBeLessThan(2e-5);
    expect(gradNorm / expected.gradNorm).toBeCloseTo(1, 4);
    for (const name of ["rewards/margins", "rewards/accuracies", "logps/chosen"])
      expect(metrics[name], name).toBeCloseTo(expected.metrics[name]!, 4);
  }
});

it("each rank puts micro-batches of its own together", async () => {
  const ranks = (given: Partial<DPOConfig>): Promise<Run[]> =>
    Promise.all(meetingPlace(2).ranks.map((collective) => run({ gradientAccumulationSteps: 2, ...given }, collective)));
  const [together, other] = await ranks({ microBatchesPerPass: 2 });
  const [apart] = await ranks({ microBatchesPerPass: 1 });
  expect(other!.adapter).toEqual(together!.adapter);
  for (const [index, { loss, gradNorm }] of together!.logs.entries()) {
    expect(Math.abs(loss - apart!.logs[index]!.loss)).toBeLessThan(2e-5);
    expect(gradNorm / apart!.logs[index]!.gradNorm).toBeCloseTo(1, 4);
  }
});

interface Run {
  logs: TrainLog[];
  adapter: Map<string, LoraWeights>;
}

async function run(given: Partial<DPOConfig>, collective?: Collective): Promise<Run> {
  using base = tinyModel(device);
  using model = getPeftModel(base, { r: 4, loraAlpha: 8, targetModules: "all-linear" }, { seed: 3 });
  const trainer = new DPOTrainer({
    model,
    prepared: { train: tinyPairs(12) },
    collective,
    args: {
      perDeviceTrainBatchSize: 2,
      numTrainEpochs: 2,
      learningRate: 2e-2,
      loggingSteps: 1,
      saveStrategy: "no",
      maxLength: 16,
      ...given,
    },
  });
  const logs: TrainLog[] = [];
  for await (const log of trainer.train()) logs.push(log);
  return { logs, adapter: await model.readAdapter() };
}
