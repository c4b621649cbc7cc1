import { getPeftModel, type LoraConfig } from "@kto/lora";
import { Qwen2ForCausalLM } from "@kto/qwen2";
import { requestDevice, type Device } from "@kto/tensor";
import { expectClose } from "@kto/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectNoBuffersLeft } from "../../../testing/src/no-buffers-left.js";
import {
  cpoConfig,
  cpoMethod,
  dpoConfig,
  dpoMethod,
  ktoConfig,
  ktoMethod,
  orpoConfig,
  orpoMethod,
  sftConfig,
  sftMethod,
  type DPOConfig,
  type KTOConfig,
  type KtoRow,
  type Method,
  type PairRow,
  type PassLayout,
  type SftRow,
  type SourceRow,
} from "../index.js";
import { adapterReferences } from "../scoring/reference.js";
import { tinyConfig, tinyModel } from "../testing/tiny-model.js";
import { tinyPairs } from "../testing/tiny-pairs.js";
import { recordMicroBatch } from "./micro-batch.js";
import { groupsOfUpdate, mostPerPass } from "./passes-of-update.js";

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

const ids = (count: number, seed: number): number[] => Array.from({ length: count }, (_, i) => 1 + ((seed * 7 + i * 5) % 35));
const ktoRow = (prompt: number, completion: number, kl: number, label: boolean): KtoRow => ({
  sourceIndex: 0,
  label,
  promptIds: ids(prompt, prompt),
  completionIds: ids(completion, 3),
  klCompletionIds: ids(kl, 4),
});
/** Of unlike sizes, with prompts of one token and of none; the last has one row. */
const ktoRows: KtoRow[][] = [
  [ktoRow(6, 5, 3, true), ktoRow(1, 4, 5, false), ktoRow(0, 3, 4, true), ktoRow(9, 1, 3, false)],
  [ktoRow(2, 7, 2, false), ktoRow(5, 2, 7, false)],
  [ktoRow(3, 3, 3, true)],
];
const known = ktoRows.map((rows, batch) => rows.map((row, index) => ({ ...row, refLogProb: -20 - index, refKlLogProb: -15 - batch })));

const pairs = [...tinyPairs(7).rows];
const pairRows: PairRow[][] = [pairs.slice(0, 4), pairs.slice(4, 6), pairs.slice(6)];

const document = (prompt: number, completion: number, scoredMask?: number[]): SftRow => ({
  sourceIndex: 0,
  documents: [{ promptIds: ids(prompt, prompt), completionIds: ids(completion, completion), scoredMask }],
});
/** Packed and not; the second has nothing to score. */
const sftRows: SftRow[][] = [
  [document(3, 5), { sourceIndex: 1, documents: [...document(1, 2).documents, ...document(0, 4).documents] }],
  [document(4, 2, [0, 0])],
  [document(2, 6, [1, 0, 1, 1, 0, 1])],
];

const lora: Partial<LoraConfig> = { r: 4, loraAlpha: 8, targetModules: "all-linear" };
const scales = [0.5, 0.125, 2];

/** What micro-batches give one after the other or together, and the gradients of an adapter that has learnt something. */
async function update<Row extends SourceRow>(
  method: Method<Row>,
  microBatches: readonly (readonly Row[])[],
  isTogether: boolean,
  layout: Partial<PassLayout> = {},
): Promise<{ recorded: Record<string, Float32Array>[]; gradients: Float32Array; numForward: number }> {
  using model = getPeftModel(base, lora, { seed: 3 });
  model.writeAdapter(
    new Map(Array.from(await model.readAdapter(), ([name, { a, b }]) => [name, { a, b: b.map((_, i) => 0.05 - ((i * 37) % 19) / 190) }])),
  );
  using reference = await (await adapterReferences(model, "base"))("unchanged");
  using gradients = model.activeAdapter.bucket.like("gradients");
  gradients.clear();
  const context = { model, reference, layout: { checkpointedLayers: 0, tokensPerPass: Infinity, ...layout } };
  const sink = gradients.sink(model.activeAdapter.bucket, 1);
  let numForward = 0;
  const onForward = (): void => void numForward++;
  const tensors = isTogether
    ? device.scope(() => method.recordTogether!(context, microBatches, { scales, sink, onForward }))
    : microBatches.map((rows, index) => recordMicroBatch({ method, context }, rows, { scale: scales[index]!, sink, onForward }));
  const recorded: Record<string, Float32Array>[] = [];
  for (const of of tensors) {
    recorded.push(Object.fromEntries(await Promise.all(Object.entries(of).map(async ([name, tensor]) => [name, await tensor.read()]))));
    for (const tensor of Object.values(of)) tensor.dispose();
  }
  return { recorded, gradients: (await gradients.flat.read()) as Float32Array, numForward };
}

const kto = (given: Partial<KTOConfig> = {}): Method<KtoRow> => ktoMethod(ktoConfig({ perDeviceTrainBatchSize: 4, ...given }), "base");
const dpo = (given: Partial<DPOConfig> = {}): Method<PairRow> => dpoMethod(dpoConfig(given), "base");

/** Compares micro-batches of a method that go together with those that do not. */
async function expectSame<Row extends SourceRow>(method: Method<Row>, microBatches: readonly (readonly Row[])[]): Promise<void> {
  const found = await update(method, microBatches, true);
  const expected = await update(method, microBatches, false);
  expect([found.numForward, found.recorded.length]).toEqual([1, microBatches.length]);
  const close = { rtol: 5e-5, atol: 5e-6 };
  for (const [index, tensors] of expected.recorded.entries()) {
    expect(Object.keys(found.recorded[index]!).sort()).toEqual(Object.keys(tensors).sort());
    for (const [name, values] of Object.entries(tensors))
      expectClose(found.recorded[index]![name]!, values, { ...close, label: `${name} of micro-batch ${index}` });
  }
  expect(Math.max(...expected.gradients.map(Math.abs))).toBeGreaterThan(1e-3);
  expectClose(found.gradients, expected.gradients, { ...close, label: "gradients" });
}

describe("micro-batches in one pass", () => {
  it.each<[name: string, comparison: () => Promise<void>]>([
    ["KTO", () => expectSame(kto(), ktoRows)],
    ["KTO with weights, its reference known", () => expectSame(kto({ desirableWeight: 1.5, undesirableWeight: 0.7 }), known)],
    ["unpaired APO-zero", () => expectSame(kto({ lossType: "apo_zero_unpaired" }), ktoRows)],
    ["DPO", () => expectSame(dpo(), pairRows)],
    ["DPO without shared prompts", () => expectSame(dpo({ sharedPrompts: false }), pairRows)],
    ["WPO", () => expectSame(dpo({ useWeighting: true }), pairRows)],
    ["a loss of sorted differences", () => expectSame(dpo({ lossType: ["aot"], ldAlpha: 0.5 }), pairRows)],
    ["ORPO", () => expectSame(orpoMethod(orpoConfig()), pairRows)],
    ["CPO", () => expectSame(cpoMethod(cpoConfig()), pairRows)],
    ["fine-tuning", () => expectSame(sftMethod(sftConfig()), sftRows)],
    ["dynamic fine-tuning", () => expectSame(sftMethod(sftConfig({ lossType: "dft" })), sftRows)],
  ])("have the losses, metrics and gradients of passes of their own: %s", (_name, comparison) => comparison());

  it("have a KL estimate each, held above 0 by itself", async () => {
    const { recorded } = await update(kto(), ktoRows, true);
    const estimates = recorded.map(({ kl }) => kl![0]!);
    expect(new Set(estimates).size).toBe(3);
    expect(Math.min(...estimates)).toBe(0); // where one estimate is below it, those of others are not held
    expect(Math.max(...estimates)).toBeGreaterThan(0.1);
  });

  it.each<Partial<PassLayout>>([
    { checkpointedLayers: 2 },
    { tokensPerPass: 8 },
    { largestPass: { numTokens: 90, numScored: 60 }, largestJoint: { numTokens: 120, numScored: 50 } },
  ])("repeat bit for bit, whatever the memory they take: %j", async (layout) => {
    expect(await update(kto(), ktoRows, true, layout)).toEqual(await update(kto(), ktoRows, true));
  });

  it("of which none has anything to score give zeros, and no gradients", async () => {
    const nothing = [[document(4, 2, [0, 0])], [document(1, 1, [0])]];
    const { recorded, gradients } = await update(sftMethod(sftConfig()), nothing, true);
    for (const { loss } of recorded) expect(loss![0]).toBe(0);
    expect(gradients.every((value) => value === 0)).toBe(true);
  });
});

describe("the micro-batches of an update", () => {
  const sizes = (groups: readonly (readonly unknown[])[]): number[] => groups.map((group) => group.length);
  const onModel = <Row extends SourceRow>(method: Method<Row>, model = base) => ({ method, context: { model: { base: model } as never } });
  const five = [0, 1, 0, 1, 2].map((index) => ktoRows[index]!);

  it("go together in their order, so many at a time", () => {
    expect(groupsOfUpdate(onModel(kto()), five, { microBatchesPerPass: 2 })).toEqual([five.slice(0, 2), five.slice(2, 4), five.slice(4)]);
    expect(sizes(groupsOfUpdate(onModel(kto()), five, { microBatchesPerPass: 8 }))).toEqual([5]);
    expect(sizes(groupsOfUpdate(onModel(kto()), five, { microBatchesPerPass: 1 }))).toEqual([1, 1, 1, 1, 1]);
  });

  it("go together up to so many tokens: a larger one alone, and whatever is left together with the next", () => {
    const tokens = (rows: readonly KtoRow[]): number => rows.reduce((sum, row) => sum + row.promptIds.length + row.completionIds.length, 0);
    expect(five.map(tokens)).toEqual([29, 16, 29, 16, 6]);
    const groups = (tokensTogether: number): number[] =>
      sizes(groupsOfUpdate(onModel(kto()), five, { microBatchesPerPass: 5, tokensTogether }));
    expect([96, 95, 45, 29, 1].map(groups)).toEqual([[5], [4, 1], [2, 2, 1], [1, 1, 1, 2], [1, 1, 1, 1, 1]]);
  });

  it("go alone where their longest rows turn positions otherwise, and where mismatched rows do", () => {
    using scaled = Qwen2ForCausalLM.initialize(
      { ...tinyConfig, maxPositionEmbeddings: 8, ropeScaling: { ropeType: "dynamic", factor: 2 } },
      { device, random: () => 0.1 },
    );
    const method = dpo();
    const short = [pairs[1]!];
    const long = [{ ...pairs[0]!, chosen: { promptIds: ids(9, 1), completionIds: ids(3, 1) } }];
    expect(sizes(groupsOfUpdate(onModel(method, scaled), [short, short, long, long, short], { microBatchesPerPass: 5 }))).toEqual([
      2, 2, 1,
    ]);
    const unlike = [ktoRow(6, 1, 5, true)]; // 7 tokens, mismatched 11
    expect(sizes(groupsOfUpdate(onModel(kto(), scaled), [unlike, unlike], { microBatchesPerPass: 2 }))).toEqual([1, 1]);
  });

  it("go alone with dropout that acts, and where ranks have to hear of each other's statistics", () => {
    const args = { disableDropout: true, gradientAccumulationSteps: 4 };
    expect(mostPerPass(kto(), args, { size: 1 })).toBe(4);
    expect(mostPerPass(kto(), { ...args, disableDropout: false }, { size: 1 })).toBe(1);
    expect(mostPerPass(kto(), args, { size: 2 })).toBe(1);
    expect(mostPerPass(kto({ sharedPrompts: false }), args, { size: 1 })).toBe(1);
    expect(mostPerPass(dpo(), args, { size: 2 })).toBe(4);
  });
});
