import { getPeftModel } from "@kto/lora";
import { emptyCausalLM } from "@kto/qwen2";
import { rehearsalDevice } from "@kto/tensor";
import { expect, it } from "vitest";
import { matrixGpu, plainGpu } from "@kto/testing/workspace";
import { tinyConfig } from "../testing/tiny-model.js";
import { packScoredBatch } from "./scored-batch.js";

/** Large enough for the kernels that large products get. */
const config = { ...tinyConfig, hiddenSize: 512, intermediateSize: 1024, numAttentionHeads: 8, numKeyValueHeads: 2, headDim: 64 };
const rows = Array.from({ length: 8 }, () => ({ promptIds: new Array<number>(32).fill(1), completionIds: new Array<number>(32).fill(2) }));

it.each([
  ["matrix units, 16 bits", matrixGpu, {}],
  ["matrix units, four bits", matrixGpu, { quantization: { loadIn4bit: true } }],
  ["subgroups, four bits", plainGpu, { quantization: { loadIn4bit: true } }],
  ["f32", { ...plainGpu, shaderF16: false }, {}],
  ["every weight trained", matrixGpu, { trainable: true }],
] as const)("every op of a layer hands on which rows take gradients: %s", (_, capabilities, options) => {
  using device = rehearsalDevice(capabilities);
  using base = emptyCausalLM({ ...config, maxPositionEmbeddings: 128 }, { device, ...options });
  using model = "trainable" in options ? undefined : getPeftModel(base, { r: 16, targetModules: "all-linear" });
  for (const bucket of base.trainable?.buckets ?? [model!.activeAdapter.bucket]) bucket.requiresGrad = true;
  device.scope(() => {
    const { tokens } = packScoredBatch(base, rows, { alongside: { rows, largestJoint: undefined } });
    const hidden = base.hiddenStates(tokens); // [numTokens, hiddenSize]
    expect(hidden.node).toBeDefined();
    expect(hidden.shape).toEqual([1024, 512]);
    expect(hidden.gradientRows?.count).toBe(512);
  });
});
