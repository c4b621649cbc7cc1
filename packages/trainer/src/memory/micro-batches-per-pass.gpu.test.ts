import { Dataset, type DataRow } from "@kto/datasets";
import { getPeftModel } from "@kto/lora";
import type { Qwen2ForCausalLM } from "@kto/qwen2";
import { requestDevice, type Device } from "@kto/tensor";
import { expectClose } from "@kto/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectNoBuffersLeft } from "../../../testing/src/no-buffers-left.js";
import { KTOTrainer, type KTOConfig, type MemoryPlan, type TrainLog } from "../index.js";
import { tinyModel } from "../testing/tiny-model.js";

let device: Device;
let base: Qwen2ForCausalLM;
beforeAll(async () => {
  device = await requestDevice();
  base = tinyModel(device);
  base.prepare(64);
});
afterAll(() => {
  base.dispose();
  device.dispose();
});
expectNoBuffersLeft(() => device);

/** With batches of two rows and four of them an update, the second window has two, of which the last has one row. */
const data = Array.from({ length: 11 }, (_, row): DataRow => {
  const ids = (count: number, from: number): number[] => Array.from({ length: count }, (_id, i) => 1 + ((row * 7 + from + i * 3) % 35));
  return { prompt_ids: ids(1 + (row % 7), 0), completion_ids: ids(1 + ((row * 5) % 9), 11), label: row % 3 !== 0 };
});

interface Run {
  plan: MemoryPlan;
  logs: TrainLog[];
  adapter: Float32Array[];
  evaluation: Record<string, number>;
  /** Of each micro-batch that was told of. */
  events: string[];
}

async function run(given: Partial<KTOConfig>, budgetBytes?: number): Promise<Run> {
  await device.memory.trim();
  device.memory.resetPeak();
  device.memory.budgetBytes = budgetBytes;
  try {
    using model = getPeftModel(base, { r: 4, loraAlpha: 8, targetModules: "all-linear" }, { seed: 3 });
    const events: string[] = [];
    const trainer = new KTOTrainer({
      model,
      trainDataset: Dataset.from(data),
      evalDataset: Dataset.from(data),
      args: {
        perDeviceTrainBatchSize: 2,
        gradientAccumulationSteps: 4,
        learningRate: 2e-2,
        adamEpsilon: 1e-5, // so that a gradient of rounding errors alone takes no whole step
        loggingSteps: 1,
        saveStrategy: "no",
        evalStrategy: "epoch",
        maxLength: 16,
        ...given,
      },
      onEvent: (event) => event.type === "microBatch" && events.push(`${event.step}: ${event.index} of ${event.count}`),
    });
    const planned = await trainer.plan();
    const logs: TrainLog[] = [];
    for await (const log of planned.train()) logs.push(log);
    expect(trainer.result!.peakGpuMemoryBytes / planned.memory.peakBytes).toBeLessThanOrEqual(1);
    expect(trainer.result!.peakGpuMemoryBytes / planned.memory.peakBytes).toBeGreaterThan(0.9);
    const evaluation = Object.fromEntries(Object.entries(await trainer.evaluate()).filter(([name]) => !/second|runtime/.test(name)));
    const adapter = [...(await model.readAdapter()).values()].flatMap(({ a, b }) => [a, b]);
    return { plan: planned.memory, logs, adapter, evaluation, events };
  } finally {
    device.memory.budgetBytes = undefined;
  }
}

const plenty = 2 ** 40;
const kept = { gradientCheckpointing: false };
let apart: Promise<Run> | undefined;
const oneByOne = (): Promise<Run> => (apart ??= run({ ...kept, microBatchesPerPass: 1 }));

const logged = ({ logs }: Run): object[] =>
  logs.map(({ step, epoch, loss, gradNorm, learningRate, metrics }) => ({ step, epoch, loss, gradNorm, learningRate, metrics }));

describe("a run whose micro-batches go through together", () => {
  it("has the numbers of one where they go through one by one, within the memory of its plan, and begins at exactly 0.5", async () => {
    const found = await run({}, plenty);
    const expected = await oneByOne();
    expect([found.plan.microBatchesPerPass, expected.plan.microBatchesPerPass]).toEqual([4, 1]);
    expect(found.plan.checkpointedLayers).toBe(0);
    expect(found.events).toEqual(expected.events);
    expect(found.events.slice(3, 6)).toEqual(["1: 3 of 4", "2: 0 of 2", "2: 1 of 2"]);
    expect(found.logs[0]!.loss).toBe(0.5);
    for (const [index, { loss, gradNorm, metrics }] of found.logs.entries()) {
      const other = expected.logs[index]!;
      expect(loss).toBeCloseTo(other.loss, 5);
      expect(gradNorm / other.gradNorm).toBeCloseTo(1, 3);
      expect(Object.keys(metrics)).toEqual(Object.keys(other.metrics));
      for (const [name, value] of Object.entries(other.metrics)) expect(metrics[name], name).toBeCloseTo(value, 3);
    }
    expect(found.logs.at(-1)!.loss).toBeLessThan(0.49);
    for (const [name, value] of Object.entries(expected.evaluation)) expect(found.evaluation[name], name).toBeCloseTo(value, 3);
    found.adapter.forEach((values, index) =>
      expectClose(values, expected.adapter[index]!, { rtol: 0, atol: 2e-4, label: `matrix ${index}` }),
    );
  });

  it("has them where some are too large to go together", async () => {
    const expected = await oneByOne();
    const found = await run(kept, 1.05 * expected.plan.peakBytes + 2 ** 14);
    expect(found.plan.microBatchesPerPass).toBe(2);
    expect(found.events).toEqual(expected.events);
    expect(found.logs[0]!.loss).toBe(0.5);
    for (const [index, { loss, gradNorm }] of found.logs.entries()) {
      expect(loss).toBeCloseTo(expected.logs[index]!.loss, 5);
      expect(gradNorm / expected.logs[index]!.gradNorm).toBeCloseTo(1, 3);
    }
  });

  it("repeats bit for bit", async () => {
    const [first, second] = [await run({}, plenty), await run({}, plenty)];
    expect(logged(second)).toEqual(logged(first));
    expect(second.adapter).toEqual(first.adapter);
  });

  it("begins at exactly 0.5 with a number of them too, the last fewer, and with layers that are run again", async () => {
    const three = await run({ ...kept, microBatchesPerPass: 3, maxSteps: 1 });
    const checkpointed = await run({ gradientCheckpointing: true, microBatchesPerPass: 3, maxSteps: 1 });
    expect([three.plan.microBatchesPerPass, three.plan.checkpointedLayers]).toEqual([3, 0]);
    expect([checkpointed.plan.microBatchesPerPass, checkpointed.plan.checkpointedLayers]).toEqual([3, 2]);
    expect(three.logs[0]!.loss).toBe(0.5);
    expect(logged(checkpointed)).toEqual(logged(three));
    expect(checkpointed.adapter).toEqual(three.adapter);
  });
});

describe("a memory plan", () => {
  it("puts as many together as the budget has room for, and none without a budget", async () => {
    const one = (await oneByOne()).plan;
    const all = (await run({ maxSteps: 1 }, plenty)).plan;
    expect(all.peakBytes).toBeGreaterThan(1.2 * one.peakBytes);
    const planOf = async (given: Partial<KTOConfig>, budgetBytes?: number): Promise<MemoryPlan> =>
      (await run({ maxSteps: 1, ...given }, budgetBytes)).plan;
    const between = await planOf(kept, (one.peakBytes + all.peakBytes) / 2);
    expect(between.microBatchesPerPass).toBe(2); // smaller ones: the largest two have 34 tokens
    expect(between.tokensTogether).toBeLessThan(all.tokensTogether!);
    expect(between.largestPass!.numTokens).toBeLessThanOrEqual(between.tokensTogether!);
    expect(between.peakBytes).toBeLessThanOrEqual((one.peakBytes + all.peakBytes) / 2);
    expect((await planOf(kept, one.peakBytes)).microBatchesPerPass).toBe(1);
    expect((await planOf(kept)).microBatchesPerPass).toBe(1);
    expect((await planOf({ gradientCheckpointing: true }, plenty)).microBatchesPerPass).toBe(1);
  });

  it("keeps to a number, up to the micro-batches of an update, and refuses one that does not fit", async () => {
    expect((await run({ microBatchesPerPass: 8, maxSteps: 1 }, plenty)).plan.microBatchesPerPass).toBe(4);
    const one = (await oneByOne()).plan;
    await expect(run({ ...kept, microBatchesPerPass: 4 }, one.peakBytes)).rejects.toMatchObject({
      code: "OUT_OF_MEMORY",
      message: expect.stringMatching(/a need of .* MiB for 4 micro-batches in one pass, .*; lower microBatchesPerPass or maxLength/),
    });
  });

  it("puts none together that cannot go so, whatever is asked", async () => {
    for (const given of [{ sharedPrompts: false }, { disableDropout: false }])
      expect((await run({ microBatchesPerPass: 4, maxSteps: 1, ...given })).plan.microBatchesPerPass).toBe(1);
  });
});
