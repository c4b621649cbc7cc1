import { memoryStore, type Store } from "@kto/core";
import { Dataset } from "@kto/datasets";
import { getPeftModel, type LoraWeights } from "@kto/lora";
import { requestDevice, type Device } from "@kto/tensor";
import { afterAll, beforeAll, expect, test } from "vitest";
import { KTOTrainer, type Collective, type KTOConfig, type TrainLog } from "../index.js";
import { meetingPlace } from "../testing/meeting-place.js";
import { tinyModel, tinyRows } from "../testing/tiny-model.js";

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device.dispose());

interface Run {
  logs: TrainLog[];
  adapter: Map<string, LoraWeights>;
  evaluations: unknown[];
}

async function run(given: Partial<KTOConfig>, collective?: Collective, output?: Store): Promise<Run> {
  using base = tinyModel(device);
  using model = getPeftModel(base, { r: 4, loraAlpha: 8, targetModules: "all-linear" }, { seed: 3 });
  const trainer = new KTOTrainer({
    model,
    trainDataset: Dataset.from(tinyRows(16)),
    evalDataset: Dataset.from(tinyRows(6)),
    collective,
    output,
    args: {
      perDeviceTrainBatchSize: 4,
      maxSteps: 4,
      learningRate: 1e-2,
      loggingSteps: 1,
      evalStrategy: "steps",
      evalSteps: 4,
      saveStrategy: "no",
      ...given,
    },
  });
  const logs: TrainLog[] = [];
  for await (const log of trainer.train()) logs.push(log);
  const evaluations = trainer.progress.logHistory.flatMap((record) =>
    "eval_loss" in record ? [[record["eval_loss"], record["eval_kl"]]] : [],
  );
  return { logs, adapter: await model.readAdapter(), evaluations };
}

test("two ranks end with the same adapter and log the same, their KL over the rows of both", async () => {
  const [first, second] = await Promise.all(meetingPlace(2).ranks.map((collective) => run({}, collective)));
  expect(second!.adapter).toEqual(first!.adapter);
  const numbers = ({ logs }: Run): unknown => logs.map(({ step, loss, gradNorm, metrics }) => ({ step, loss, gradNorm, metrics }));
  expect(numbers(second!)).toEqual(numbers(first!));
  expect(second!.evaluations).toEqual(first!.evaluations);
  const lengths = tinyRows(8).map((row) => [...(row["prompt_ids"] as number[]), ...(row["completion_ids"] as number[])].length);
  expect(first!.logs[0]!.metrics["num_tokens"]).toBe(lengths.reduce((total, length) => total + length, 0)); // 4 rows of each rank
  expect(first!.logs.at(-1)!.loss).toBeLessThan(0.5);
});

test("two ranks train as one with twice the accumulation", async () => {
  const [rank] = await Promise.all(meetingPlace(2).ranks.map((collective) => run({ lossType: "apo_zero_unpaired" }, collective)));
  const alone = await run({ lossType: "apo_zero_unpaired", gradientAccumulationSteps: 2 });
  rank!.logs.forEach((log, index) => {
    expect(log.loss).toBeCloseTo(alone.logs[index]!.loss, 6);
    expect(log.gradNorm / alone.logs[index]!.gradNorm).toBeCloseTo(1, 4);
    expect(log.metrics["rewards/margins"]).toBeDefined();
  });
});

test("two ranks stop early together and end with the same best checkpoint, which one of them wrote", async () => {
  const store = memoryStore();
  const args: Partial<KTOConfig> = {
    evalSteps: 1,
    saveStrategy: "best",
    loadBestModelAtEnd: true,
    greaterIsBetter: true,
    earlyStoppingPatience: 2,
  };
  const [first, second] = await Promise.all(meetingPlace(2).ranks.map((collective) => run(args, collective, store)));
  expect(first!.evaluations).toHaveLength(3);
  expect(second!.adapter).toEqual(first!.adapter);
  const [once] = await Promise.all(meetingPlace(2).ranks.map((collective) => run({ maxSteps: 1, evalSteps: 1 }, collective)));
  expect(first!.adapter).toEqual(once!.adapter); // the loss falls, and more is better here: the first is the best
});
