import { Dataset, type DataRow } from "@kto/datasets";
import { getPeftModel, type LoraConfig } from "@kto/lora";
import { Qwen2ForCausalLM, type Qwen2Config } from "@kto/qwen2";
import { requestDevice, type Device } from "@kto/tensor";
import { expectClose } from "@kto/testing";
import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { expectNoBuffersLeft } from "../../../testing/src/no-buffers-left.js";
import {
  KTOTrainer,
  ktoConfig,
  ktoMethod,
  type Collective,
  type KTOConfig,
  type KtoRow,
  type PassLayout,
  type TrainLog,
} from "../index.js";
import { recordMicroBatch, recordMicroBatchTogether } from "../loop/micro-batch.js";
import { jointSize } from "../memory/largest-passes.js";
import { passSize } from "../memory/passes.js";
import { adapterReferences } from "../scoring/reference.js";
import { tinyConfig, tinyModel } from "../testing/tiny-model.js";
import { numInJointPass, packJointPass, sizesAlongside } from "./joint-pass.js";
import { mismatched } from "./prepare-kto-dataset.js";

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

/** Prompts of several tokens, of one and of none; completions of one token; the last micro-batch has one row alone. */
const data: DataRow[] = [
  [6, 5],
  [1, 4],
  [0, 3],
  [9, 1],
  [3, 7],
  [4, 2],
  [2, 2],
  [12, 1],
  [5, 3],
].map(([prompt, completion], row) => ({
  prompt_ids: Array.from({ length: prompt! }, (_, i) => 1 + ((row * 7 + i * 3) % 35)),
  completion_ids: Array.from({ length: completion! }, (_, i) => 1 + ((row * 5 + i * 11) % 35)),
  label: row % 3 !== 0,
}));

const lora: Partial<LoraConfig> = { r: 4, loraAlpha: 8, targetModules: "all-linear" };

interface Run {
  logs: TrainLog[];
  evaluation: Record<string, number>;
  adapter: Float32Array[];
}

async function run(given: Partial<KTOConfig>, adapter: Partial<LoraConfig> = lora): Promise<Run> {
  using model = getPeftModel(base, adapter, { seed: 3 });
  const args: Partial<KTOConfig> = {
    perDeviceTrainBatchSize: 4,
    numTrainEpochs: 2,
    learningRate: 2e-2,
    loggingSteps: 1,
    saveStrategy: "no",
    maxLength: 16,
  };
  const trainer = new KTOTrainer({ model, trainDataset: Dataset.from(data), evalDataset: Dataset.from(data), args: { ...args, ...given } });
  const logs: TrainLog[] = [];
  for await (const log of trainer.train()) logs.push(log);
  const evaluation = Object.fromEntries(Object.entries(await trainer.evaluate()).filter(([name]) => !/second|runtime/.test(name)));
  return {
    logs,
    evaluation,
    adapter: [...(await model.readAdapter()).values()].flatMap(({ a, b }) => [a, b]),
  };
}

const numbers = ({ logs }: Run): unknown => logs.map(({ step, loss, gradNorm, metrics }) => ({ step, loss, gradNorm, metrics }));

function expectSame(found: Run, expected: Run): void {
  found.logs.forEach(({ loss, gradNorm, metrics }, index) => {
    const other = expected.logs[index]!;
    expect(loss).toBeCloseTo(other.loss, 5);
    expect(gradNorm / other.gradNorm).toBeCloseTo(1, 3);
    expect(metrics["num_tokens"]).toBe(other.metrics["num_tokens"]);
    for (const [name, value] of Object.entries(other.metrics)) expect(metrics[name], name).toBeCloseTo(value, 3);
  });
  for (const [name, value] of Object.entries(expected.evaluation)) expect(found.evaluation[name], name).toBeCloseTo(value, 3);
  found.adapter.forEach((values, index) =>
    expectClose(values, expected.adapter[index]!, { rtol: 0, atol: 2e-4, label: `matrix ${index}` }),
  );
}

describe("matched and mismatched rows in one pass", () => {
  it.each<Partial<KTOConfig>>([{ gradientCheckpointing: false }, { gradientCheckpointing: true }, { precomputeRefLogProbs: true }])(
    "give the numbers of a pass each, and begin at exactly 0.5: %j",
    async (given) => {
      const found = await run(given);
      expectSame(found, await run({ ...given, sharedPrompts: false }));
      expect(found.logs[0]!.loss).toBe(0.5);
      expect(found.logs[0]!.metrics["kl"]).toBe(0);
      expect(found.logs.at(-2)!.loss).toBeLessThan(0.499);
    },
  );

  it("repeat bit for bit, checkpointed or not", async () => {
    const found = await run({ gradientCheckpointing: false });
    expect(numbers(await run({ gradientCheckpointing: false }))).toEqual(numbers(found));
    expect(numbers(await run({ gradientCheckpointing: true }))).toEqual(numbers(found));
  });

  it("are not, where dropout acts: to the bit what it was", async () => {
    const dropout = { ...lora, loraDropout: 0.4 };
    const given = { disableDropout: false, numTrainEpochs: 1 };
    expect(numbers(await run(given, dropout))).toEqual(numbers(await run({ ...given, sharedPrompts: false }, dropout)));
  });
});

const args = ktoConfig({ perDeviceTrainBatchSize: 4 });
const row = (prompt: number, completion: number, kl: number, label: boolean): KtoRow => {
  const ids = (count: number, seed: number): number[] => Array.from({ length: count }, (_, i) => 1 + ((seed * 7 + i * 5) % 35));
  return { sourceIndex: 0, label, promptIds: ids(prompt, prompt), completionIds: ids(completion, 3), klCompletionIds: ids(kl, 4) };
};
const rows = [row(6, 5, 3, true), row(1, 4, 5, false), row(0, 3, 4, true), row(9, 1, 3, false)];

/** What a micro-batch gives under a layout, by its method or as one of several ranks, and the gradients of the adapter. */
async function microBatch(layout: Partial<PassLayout>, collective?: Collective): Promise<Record<string, Float32Array>> {
  using model = getPeftModel(base, lora, { seed: 3 });
  model.writeAdapter(
    new Map(Array.from(await model.readAdapter(), ([name, { a, b }]) => [name, { a, b: b.map((_, i) => 0.05 - ((i * 37) % 19) / 190) }])),
  );
  using reference = await (await adapterReferences(model, "base"))("unchanged");
  using gradients = model.activeAdapter.bucket.like("gradients");
  gradients.clear();
  const context = { model, reference, layout: { checkpointedLayers: 0, tokensPerPass: Infinity, ...layout } };
  const method = ktoMethod(args, "base");
  const backwardPass = { scale: 1, sink: gradients.sink(model.activeAdapter.bucket, 1) };
  const tensors = collective
    ? await recordMicroBatchTogether({ method, context, collective }, rows, backwardPass)
    : recordMicroBatch({ method, context }, rows, backwardPass);
  const found: Record<string, Float32Array> = { gradients: (await gradients.flat.read()) as Float32Array };
  for (const [name, tensor] of Object.entries(tensors)) {
    found[name] = (await tensor.read()) as Float32Array;
    tensor.dispose();
  }
  return found;
}

/** A rank that hears of no other one. */
const lonely = (gather: Collective["gather"]): Collective => ({ rank: 0, size: 2, sum: async () => undefined, gather });

describe("a micro-batch", () => {
  const close = { rtol: 5e-5, atol: 5e-6 };

  it.each<Partial<PassLayout>>([
    {},
    { checkpointedLayers: 1 },
    { tokensPerPass: 12 },
    { tokensPerPass: 1 },
    { tokensPerPass: 12, checkpointedLayers: 2 },
    { largestPass: { numTokens: 60, numScored: 40 }, largestJoint: { numTokens: 80, numScored: 40 } },
  ])("has the numbers and gradients of passes of their own: %j", async (layout) => {
    const found = await microBatch(layout);
    const expected = await microBatch({ isSeparate: true });
    expect(Math.abs(expected["kl"]![0]!)).toBeGreaterThan(0.1); // so that the estimate of a part would show
    expect(Object.keys(found).sort()).toEqual(Object.keys(expected).sort());
    for (const [name, values] of Object.entries(found)) expectClose(values, expected[name]!, { ...close, label: name });
  });

  it("of one of several ranks has those of one alone, whose forward pass waits for the numbers of the others", async () => {
    const found = await microBatch(
      {},
      lonely(async (values) => [values, values]),
    );
    const expected = await microBatch({});
    for (const [name, values] of Object.entries(found)) expectClose(values, expected[name]!, { ...close, label: name });
  });

  it("leaves nothing behind where another rank fails meanwhile", async () => {
    const failing = lonely(() => Promise.reject(new Error("rank 1 is gone")));
    await expect(microBatch({}, failing)).rejects.toThrow("rank 1 is gone");
  });

  it("takes half of the launches on the way there", async () => {
    await using none = await requestDevice({ nullBackend: true });
    using itsBase = tinyModel(none);
    using model = getPeftModel(itsBase, lora, { seed: 3 });
    using reference = await (await adapterReferences(model, "base"))("unchanged");
    const launches = (layout: Partial<PassLayout>): { there: number; back: number } => {
      const context = { model, reference, layout: { checkpointedLayers: 0, tokensPerPass: Infinity, ...layout } };
      const before = none.recorder.numDispatches;
      let there = 0;
      const onForward = (): void => void (there = none.recorder.numDispatches - before);
      none.scope(() =>
        recordMicroBatch({ method: ktoMethod(args, "base"), context }, rows, { scale: 1, sink: { take: () => true }, onForward }),
      );
      return { there, back: none.recorder.numDispatches - before - there };
    };
    const [joint, separate] = [launches({}), launches({ isSeparate: true })];
    expect(joint.there).toBeLessThan(0.62 * separate.there);
    expect(joint.back).toBeLessThanOrEqual(separate.back);
  });
});

describe("a joint pass", () => {
  it("has the room that is planned for it", () => {
    const sizes = sizesAlongside(base, args, rows)!;
    const layout = { checkpointedLayers: 0, tokensPerPass: Infinity };
    const planned = jointSize(rows, sizes);
    device.scope(() => {
      const batch = packJointPass(base, { rows, count: 4 }, layout);
      expect(batch.tokens.inputIds.size).toBe(planned.numTokens);
      expect(batch.tokens.inputIds.gradientRows!.count).toBe(passSize(rows).numTokens);
      expect(batch.alongside!.scored!.labels.size).toBe(planned.numScored);
    });
    const alone = [...rows, ...rows.map(mismatched)];
    expect(passSize(alone).numTokens - planned.numTokens).toBe(5 + 0 + 0 + 8); // prompts, but for their last tokens
  });

  test("there are none where a longer row would turn the positions of the others", () => {
    const model = (ropeScaling: Qwen2Config["ropeScaling"]): Qwen2ForCausalLM =>
      Qwen2ForCausalLM.initialize({ ...tinyConfig, maxPositionEmbeddings: 8, ropeScaling }, { device, random: () => 0 });
    using dynamic = model({ ropeType: "dynamic", factor: 4 });
    const equal = [row(6, 5, 5, true), row(1, 4, 4, false)];
    const layout = { checkpointedLayers: 0, tokensPerPass: Infinity };
    expect(numInJointPass(dynamic, args, equal, layout)).toBe(2);
    expect(numInJointPass(dynamic, args, [row(6, 5, 9, true), row(1, 4, 4, false)], layout)).toBe(0);
    expect(numInJointPass(base, args, [row(6, 5, 9, true), row(1, 4, 4, false)], layout)).toBe(2);
  });

  test("there are none without shared prompts, with dropout, or where the layout says so", () => {
    const layout = { checkpointedLayers: 0, tokensPerPass: Infinity };
    expect(numInJointPass(base, { ...args, sharedPrompts: false }, rows, layout)).toBe(0);
    expect(numInJointPass(base, { ...args, disableDropout: false }, rows, layout)).toBe(0);
    expect(numInJointPass(base, args, rows, { ...layout, isSeparate: true })).toBe(0);
    expect(numInJointPass(base, args, rows, { ...layout, tokensPerPass: 12 })).toBe(1);
  });
});
