import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, describe, it } from "vitest";
import { modelConfig } from "../../../bench/tutorial/model-config.js";
import { shapes } from "../../../bench/tutorial/shapes.js";
import { root } from "../repository.js";
import { gpuKinds } from "./gpu-kinds.js";
import { modelShapes, type ModelJson } from "./model-shapes.js";
import { planRun, type RunToPlan } from "./plan-run.js";

const GiB = 2 ** 30;
const run: RunToPlan = {
  config: modelShapes["DeepSeek-R1-Distill-Qwen 1.5B"]!,
  capabilities: gpuKinds.matrix.capabilities,
  method: "kto",
  weights: "4-bit",
  loraRank: 16,
  loraTargets: "all-linear",
  batchSize: 4,
  tokens: 512,
  optim: "adamw_8bit",
  gradientCheckpointing: true,
  budgetBytes: undefined,
};

interface RecordedRuns {
  device: string;
  runs: Record<string, { results: { tokensPerRow: number; batch: number; plan: { peakBytes: number } }[] }>;
}
const recorded = JSON.parse(readFileSync(join(root, "bench/results/four-bit-step-h100.json"), "utf8")) as RecordedRuns;
const configOf = (name: keyof typeof shapes): ModelJson =>
  JSON.parse(modelConfig(shapes[name].config, { ...shapes[name], plain: false })) as ModelJson;
const recordedPlan = (name: string, tokens: number): { tokens: number; batchSize: number; peakBytes: number } => {
  const { batch, plan } = recorded.runs[name]!.results.find(({ tokensPerRow }) => tokensPerRow === tokens)!;
  return { tokens, batchSize: batch, peakBytes: plan.peakBytes };
};

describe("beside the plans that runs on an H100 printed, when each row had a pass of its own", () => {
  it.each([
    ["4 × 512, checkpointed", 512, "1.5b", {}],
    ["4 × 1024, checkpointed", 1024, "1.5b", {}],
    ["without checkpointing", 512, "1.5b", { gradientCheckpointing: false }],
    ["without checkpointing", 1024, "1.5b", { gradientCheckpointing: false }],
  ] as const)("%s, %i tokens: within 4 %", async (name, tokens, model, given) => {
    const { peakBytes, ...size } = recordedPlan(name, tokens);
    const { plan } = await planRun({ ...run, config: configOf(model), ...size, ...given, sharedPrompts: false });
    expect(Math.abs(plan.peakBytes / peakBytes - 1), `${plan.peakBytes} and ${peakBytes}`).toBeLessThan(0.04);
  });
});

it.each([
  [512, 1.1],
  [1024, 1.15],
])("rows of %i tokens that share a pass take at most %f times as much, checkpointed", async (tokens, factor) => {
  const [shared, separate] = [await planRun({ ...run, tokens }), await planRun({ ...run, tokens, sharedPrompts: false })];
  expect(shared.plan.peakBytes).toBeLessThan(factor * separate.plan.peakBytes);
});

const shapesAndMethods = [
  ...Object.keys(modelShapes).map((name) => [name, "dpo"] as const),
  ...(["kto", "sft", "orpo", "cpo"] as const).map((method) => ["Qwen2.5 0.5B", method] as const),
];
it.each(shapesAndMethods)("%s is planned with %s", async (name, method) => {
  const { plan, numParameters, weightBytes } = await planRun({ ...run, config: modelShapes[name]!, method, batchSize: 2, tokens: 256 });
  expect(numParameters / 1e9).toBeCloseTo(Number(/[\d.]+B/.exec(name)![0].replace("B", "")), -0.5);
  expect(plan.residentBytes).toBeGreaterThan(weightBytes);
  expect(plan.peakBytes).toBeLessThan(2 * weightBytes + 2 * GiB);
});

it("every weight, 16 bits and four bits take what they must", async () => {
  const of = async (weights: RunToPlan["weights"]): Promise<{ bytes: number; numParameters: number }> => {
    const { plan, numParameters } = await planRun({ ...run, weights, optim: "adamw_torch" });
    return { bytes: plan.residentBytes, numParameters };
  };
  const [trained, half, four] = [await of("trained"), await of("16-bit"), await of("4-bit")];
  expect(trained.bytes / trained.numParameters).toBeCloseTo(20, 0); // weights, gradients, moments, and the reference
  expect(half.bytes / half.numParameters).toBeCloseTo(2.1, 0);
  expect(four.bytes).toBeLessThan(0.6 * half.bytes);
});

it("says what is wrong", async () => {
  await expect(planRun({ ...run, batchSize: 0 })).rejects.toThrow(
    /^plan: batchSize is not usable; expected a positive whole number, got 0$/,
  );
  await expect(planRun({ ...run, tokens: Number.NaN })).rejects.toThrow(/tokens is not usable/);
  await expect(planRun({ ...run, config: { model_type: "llama" } })).rejects.toThrow(/llama/);
  await expect(planRun({ ...run, config: {} })).rejects.toThrow(/model_type/);
  await expect(planRun({ ...run, budgetBytes: GiB })).rejects.toThrow(
    /^memory: the run does not fit; expected at most 1024 MiB of GPU memory/,
  );
  await expect(planRun({ ...run, tokens: 1_000_000 })).rejects.toThrow(/131072/);
  await expect(planRun({ ...run, batchSize: 1 })).rejects.toThrow(/2/); // KTO pairs each row with the next
});
