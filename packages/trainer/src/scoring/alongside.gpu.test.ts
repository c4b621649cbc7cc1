import { getPeftModel, type PeftModel } from "@kto/lora";
import type { Qwen2ForCausalLM } from "@kto/qwen2";
import { backward, mul, requestDevice, sum, type Device } from "@kto/tensor";
import { expectClose } from "@kto/testing";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ScoredRow } from "../data/rows.js";
import { tinyModel } from "../testing/tiny-model.js";
import { scoreBatch } from "./score-batch.js";
import { packScoredBatch, type PackScoredBatchOptions, type ScoredBatch } from "./scored-batch.js";

let device: Device;
let base: Qwen2ForCausalLM;
let model: PeftModel<Qwen2ForCausalLM>;
let before = 0;
beforeAll(async () => {
  device = await requestDevice();
  base = tinyModel(device);
  base.prepare(32);
  model = getPeftModel(base, { r: 4, loraAlpha: 8, targetModules: "all-linear" }, { seed: 3 });
  model.writeAdapter(
    new Map(Array.from(await model.readAdapter(), ([name, { a, b }]) => [name, { a, b: b.map((_, i) => ((i * 37) % 19) / 190 - 0.05) }])),
  );
});
afterAll(() => {
  model.dispose();
  base.dispose();
  device.dispose();
});
beforeEach(() => {
  before = device.memory.info().liveStorages;
});
afterEach(() => {
  device.recorder.variants.clear();
  expect(device.memory.info().liveStorages, "live storages").toBe(before);
});

const [long, short, none] = [{}, {}, {}];
const prompt = [3, 14, 15, 9, 2, 6];
/** Prompts of several tokens, of one and of none; completions of one token, and with tokens that are not scored. */
const rows: ScoredRow[] = [
  { promptIds: prompt, completionIds: [5, 3, 5], sharedPrompt: long },
  { promptIds: [7], completionIds: [8, 9], sharedPrompt: short },
  { promptIds: [], completionIds: [1, 2, 3], sharedPrompt: none },
  { promptIds: prompt.slice(1), completionIds: [4] },
];
const others: ScoredRow[] = [
  { promptIds: prompt, completionIds: [8, 9, 7, 9, 3], scoredMask: [1, 0, 1, 1, 0], sharedPrompt: long },
  { promptIds: [7], completionIds: [4], sharedPrompt: short },
  { promptIds: [], completionIds: [1, 2], sharedPrompt: none },
  { promptIds: prompt.slice(1), completionIds: [9, 1] },
];
const alone = (given: readonly ScoredRow[]): ScoredRow[] => given.map((row) => ({ ...row, sharedPrompt: undefined }));

/** Results of both kinds of rows, gradients of the adapter for the first, and what the way there and back took. */
async function outcome(
  pack: () => ScoredBatch,
  gradientCheckpointing: number,
): Promise<{ logProbs: Float32Array; alongside: Float32Array | undefined; gradients: Float32Array[] }> {
  const tensors = device.scope(() => {
    const { logProbs, entropy, alongsideLogProbs } = scoreBatch(model.base, pack(), { gradientCheckpointing, metrics: true });
    using gradients = backward(sum(mul(logProbs, logProbs)));
    const ofAdapter = [...model.activeAdapter.bucket.parameters.values()].map((parameter) => gradients.get(parameter)!.detach());
    return { logProbs: logProbs.detach(), alongside: alongsideLogProbs, gradients: [...ofAdapter, entropy!] };
  });
  const all = [tensors.logProbs, ...(tensors.alongside ? [tensors.alongside] : []), ...tensors.gradients];
  const read = await device.readAll(all);
  for (const tensor of all) tensor.dispose();
  const [logProbs, ...rest] = read as [Float32Array, ...Float32Array[]];
  return { logProbs, alongside: tensors.alongside && rest.shift(), gradients: rest };
}

const together = (given: readonly ScoredRow[], along: readonly ScoredRow[]) => (): ScoredBatch =>
  packScoredBatch(base, given, { alongside: { rows: along, largestJoint: undefined } });

describe("rows that go along without gradients", () => {
  it.each([
    ["a prompt each", 0, false],
    ["prompts shared", 0, true],
    ["prompts shared, a layer run again", 1, true],
    ["a prompt each, both layers run again", 2, false],
    ["prompts shared, both layers run again", 2, true],
  ])("change nothing of the others, and have the log-probabilities that they have alone: %s", async (_, checkpointed, isShared) => {
    const expected = await outcome(() => packScoredBatch(base, alone(rows)), checkpointed);
    const ofOthers = device.scope(() => device.noGrad(() => scoreBatch(model.base, alone(others)).logProbs));
    const expectedOthers = (await ofOthers.read()) as Float32Array;
    ofOthers.dispose();
    const found = await outcome(isShared ? together(rows, others) : together(alone(rows), alone(others)), checkpointed);
    const close = { rtol: 2e-5, atol: 2e-6 };
    expectClose(found.logProbs, expected.logProbs, { ...close, label: "log-probs" });
    expectClose(found.alongside!, expectedOthers, { ...close, label: "log-probs of rows alongside" });
    for (const [index, values] of found.gradients.entries())
      expectClose(values, expected.gradients[index]!, { ...close, label: `gradient ${index}` });
  });

  it.each([0, 1, 2])("add nothing to the way back, %i layers run again", async (checkpointed) => {
    await using none = await requestDevice({ nullBackend: true });
    using itsBase = tinyModel(none);
    using itsModel = getPeftModel(itsBase, { r: 4, targetModules: "all-linear" }, { seed: 3 });
    let workgroups = 0;
    const dispatch = none.recorder.dispatch.bind(none.recorder);
    none.recorder.dispatch = (kernel, ranges, params, grid) => {
      workgroups += grid[0] * grid[1] * grid[2];
      dispatch(kernel, ranges, params, grid);
    };
    const many = Array.from({ length: 8 }, (_, row): ScoredRow => ({
      promptIds: [row, 1, 2, 3, 4, 5, 6, 7],
      completionIds: [1, 2, 3, 4, row],
    }));
    const back = (alongside: PackScoredBatchOptions["alongside"]): number =>
      none.scope(() => {
        const size = { numTokens: 8 * 13, numScored: 40 };
        const batch = packScoredBatch(itsBase, many, { largestPass: size, alongside });
        const { logProbs } = scoreBatch(itsModel.base, batch, { gradientCheckpointing: checkpointed });
        const before = workgroups;
        backward(sum(logProbs)).dispose();
        return workgroups - before;
      });
    expect(back({ rows: many, largestJoint: { numTokens: 2 * 8 * 13, numScored: 40 } })).toBe(back(undefined));
  });

  it("repeat bit for bit", async () => {
    expect(await outcome(together(rows, others), 1)).toEqual(await outcome(together(rows, others), 1));
  });
});
