import { getPeftModel } from "@kto/lora";
import { emptyCausalLM, Qwen2ForCausalLM, weightSpecs, type Qwen2Config } from "@kto/qwen2";
import { requestDevice, type Device, type Tensor } from "@kto/tensor";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ktoConfig, ktoMethod, type KtoRow, type PassLayout } from "../index.js";
import { recordMicroBatch } from "../loop/micro-batch.js";
import { largestPasses, type BatchPasses } from "../memory/largest-passes.js";
import { wholeBatches } from "../memory/passes.js";
import { adapterReferences } from "../scoring/reference.js";
import { shape1b5 } from "../testing/large-models.js";
import { sizesAlongside } from "./joint-pass.js";
import { mismatched } from "./prepare-kto-dataset.js";

/** DeepSeek-R1-Distill-Qwen-1.5B's shape with half of its vocabulary: as large as a matrix may be on a device that does nothing. */
const config: Qwen2Config = { ...shape1b5, vocabSize: 75_968 };

let device: Device;
beforeAll(async () => {
  device = await requestDevice({ nullBackend: true });
});
afterAll(() => device.dispose());

const rows = Array.from({ length: 4 }, (_, row): KtoRow => {
  const ids = new Array<number>(256).fill(1);
  return { sourceIndex: row, label: row % 2 === 0, promptIds: ids, completionIds: ids, klCompletionIds: ids };
});
const args = ktoConfig({ perDeviceTrainBatchSize: 4 });

/** MiB that a micro-batch of 4 × 512 tokens takes beside the model, rehearsed. */
function needOf(checkpointedLayers: number, isSeparate: boolean): { inUse: number; allocated: number } {
  let residentBytes = 0;
  const { peakInUseBytes, peakBytes } = device.memory.rehearse(() => {
    const weights = weightSpecs(config).map(({ name, shape, kind }): [string, Tensor] => [
      name,
      device.empty(shape, kind === "matrix" ? "f16" : "f32", name),
    ]);
    const base = new Qwen2ForCausalLM(config, new Map(weights), { device, dtype: "f16" });
    base.prepare(512);
    const model = getPeftModel(base, { r: 16, loraAlpha: 16, targetModules: "all-linear" });
    residentBytes = device.memory.info().inUseBytes;
    const layout: PassLayout = { ...wholeBatches, checkpointedLayers, isSeparate };
    const passes: BatchPasses = { separate: [rows, rows.map(mismatched)], alongside: sizesAlongside(base, args, rows) };
    const context = {
      model: model,
      reference: {
        run: <T>(body: (of: Qwen2ForCausalLM) => T): T => device.noGrad(() => model.withAdapters([], () => body(base))),
        fingerprint: () => Promise.resolve(undefined),
        [Symbol.dispose]: () => undefined,
      },
      layout: { ...layout, ...largestPasses([[passes]], layout) },
    };
    recordMicroBatch({ method: ktoMethod(args), context }, rows, { scale: 1, sink: { take: () => true } });
  });
  return { inUse: (peakInUseBytes - residentBytes) / 2 ** 20, allocated: (peakBytes - residentBytes) / 2 ** 20 };
}

test("checkpointed, rows in one pass take a quarter more beside the model than in passes of their own", () => {
  const [joint, separate] = [needOf(28, false), needOf(28, true)];
  expect(separate.allocated).toBeLessThan(770); // MiB
  expect(joint.allocated).toBeLessThan(950);
  expect(joint.inUse).toBeLessThan(700);
});

test("kept, they take those of the rows that go along besides, half as much again", () => {
  const [joint, separate] = [needOf(0, false), needOf(0, true)];
  expect(joint.allocated / separate.allocated).toBeLessThan(1.53);
});

test("each weight of four bits is expanded half as often on the way there, and as often on the way back", async () => {
  using base = emptyCausalLM(
    { ...config, vocabSize: 64, hiddenSize: 128, intermediateSize: 256, numHiddenLayers: 2 },
    { device, dtype: "f32", quantization: { loadIn4bit: true } },
  );
  using model = getPeftModel(base, { r: 4, targetModules: "all-linear" });
  using reference = await (await adapterReferences(model, "base"))("unchanged");
  const short = rows.map((row) => ({
    ...row,
    promptIds: row.promptIds.slice(0, 40),
    completionIds: row.completionIds.slice(0, 24),
    klCompletionIds: row.completionIds.slice(0, 24),
  }));
  let expansions = 0;
  const dispatch = device.recorder.dispatch.bind(device.recorder);
  device.recorder.dispatch = (kernel, ...rest) => {
    if (/^expand(Nf4|Parts)/.test(kernel.label)) expansions++;
    dispatch(kernel, ...rest);
  };
  const count = (isSeparate: boolean): [there: number, back: number] => {
    expansions = 0;
    let there = 0;
    const onForward = (): void => void (there = expansions);
    const context = { model, reference, layout: { ...wholeBatches, isSeparate } };
    device.scope(() => recordMicroBatch({ method: ktoMethod(args), context }, short, { scale: 1, sink: { take: () => true }, onForward }));
    return [there, expansions - there];
  };
  const [joint, separate] = [count(false), count(true)];
  expect(joint[0]).toBeGreaterThan(2 * 7);
  expect(2 * joint[0]).toBe(separate[0]);
  expect(joint[1]).toBe(separate[1]);
});
