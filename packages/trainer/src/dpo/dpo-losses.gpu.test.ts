import { getPeftModel, type PeftModel } from "@kto/lora";
import { loadAdapter } from "@kto/lora/node";
import { Qwen2ForCausalLM } from "@kto/qwen2";
import { fileDirectory } from "@kto/qwen2/node";
import { requestDevice, type Device } from "@kto/tensor";
import { fixturePath, readFixtureJson, readFixtureJsonl } from "@kto/testing/workspace";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dpoConfig, dpoMethod, type DPOConfig, type PairRow, type PassLayout } from "../index.js";
import { nothingBefore } from "../loop/method.js";
import { wholeBatches } from "../memory/passes.js";
import { adapterReferences } from "../scoring/reference.js";
import { readTensors } from "../testing/read-tensors.js";

interface Case {
  arguments: Record<string, unknown>;
  loss: number;
  grad_norm: number;
  metrics: Record<string, number>;
}

const cases = readFixtureJson<Record<string, Case>>("dpo", "losses", "losses.json");
const oneGradient = "model.layers.0.self_attn.q_proj.lora_B";
const pairs = readFixtureJsonl<{ row: number; prompt_ids: number[]; chosen_ids: number[]; rejected_ids: number[] }>(
  "dpo",
  "tokenized",
  "main.jsonl",
)
  .slice(0, 8)
  .map((row): PairRow => ({
    sourceIndex: row.row,
    chosen: { promptIds: row.prompt_ids, completionIds: row.chosen_ids },
    rejected: { promptIds: row.prompt_ids, completionIds: row.rejected_ids },
  }));

let device: Device;
let base: Qwen2ForCausalLM;
let model: PeftModel<Qwen2ForCausalLM>;
let expectedGradients: Map<string, Float32Array>;
beforeAll(async () => {
  device = await requestDevice();
  base = await Qwen2ForCausalLM.fromPretrained(fileDirectory(fixturePath("model")), { device, dtype: "f32" });
  const { config, weights } = await loadAdapter(fixturePath("adapters", "r8-a16-trained"), base);
  model = getPeftModel(base, config, { weights });
  expectedGradients = await readTensors(fixturePath("dpo", "losses", "gradients.safetensors"));
});
afterAll(() => {
  model.dispose();
  base.dispose();
  device.dispose();
});

describe("loss, gradient and metrics are trl's", () => {
  it.each(Object.keys(cases))("%s", async (name) => {
    const { loss, metrics, gradient, gradNorm } = await record(argsOf(name));
    const expected = cases[name]!;
    expectNear(loss, expected.loss, 3e-5, "loss", 0);
    expectNear(gradNorm, expected.grad_norm, 5e-4, "grad_norm", 0);
    const { num_tokens: _numTokens, ...wanted } = expected.metrics;
    expect(Object.keys(metrics).sort()).toEqual(Object.keys(wanted).sort());
    for (const [metric, value] of Object.entries(wanted)) expectNear(metrics[metric]!, value, 3e-5, metric);
    const want = expectedGradients.get(name)!;
    const largest = want.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    gradient.forEach((value, index) => expect(Math.abs(value - want[index]!)).toBeLessThanOrEqual(1e-4 * largest));
  });
});

describe("a micro-batch in several passes, with layers run again, has the loss and the gradient of one", () => {
  it.each(["sigmoid", "combined", "aot", "ld-alpha", "weighting"])("%s", async (name) => {
    const whole = await record(argsOf(name));
    const parts = await record(argsOf(name), { checkpointedLayers: base.numHiddenLayers, tokensPerPass: 100 });
    expectNear(parts.loss, whole.loss, 1e-6, "loss", 0);
    expectNear(parts.gradNorm, whole.gradNorm, 1e-5, "grad_norm", 0);
    expect(Object.keys(parts.metrics)).toEqual(Object.keys(whole.metrics));
    for (const [metric, value] of Object.entries(whole.metrics)) expectNear(parts.metrics[metric]!, value, 1e-5, metric);
  });
});

/** The arguments that trl was given, as DPOConfig has them. */
function argsOf(name: string): DPOConfig {
  const camelCase = (field: string): string => field.replace(/_(\w)/g, (_match, letter: string) => letter.toUpperCase());
  return dpoConfig(Object.fromEntries(Object.entries(cases[name]!.arguments).map(([field, value]) => [camelCase(field), value])));
}

async function record(
  args: DPOConfig,
  layout: PassLayout = wholeBatches,
): Promise<{ loss: number; metrics: Record<string, number>; gradient: Float32Array; gradNorm: number }> {
  const method = dpoMethod(args, "base");
  const { bucket } = model.activeAdapter;
  using reference = await (await adapterReferences(model, "base"))("unchanged");
  using gradients = bucket.like("gradients");
  gradients.clear();
  const tensors = device.scope(() =>
    method.record({ model, reference, layout }, pairs, nothingBefore, { scale: 1, sink: gradients.sink(bucket, 1) }),
  );
  const values: Record<string, ArrayLike<number>> = {};
  for (const [name, tensor] of Object.entries(tensors)) {
    values[name] = await tensor.read();
    tensor.dispose();
  }
  const all = (await gradients.flat.read()) as Float32Array;
  return {
    loss: values["loss"]![0]!,
    metrics: method.metrics(values, pairs),
    gradient: (await gradients.parameters.get(oneGradient)!.read()) as Float32Array,
    gradNorm: Math.sqrt(all.reduce((sum, value) => sum + value ** 2, 0)),
  };
}

/** Near as a share of the number itself, or of `least` where it is smaller. */
function expectNear(got: number, want: number, tolerance: number, label: string, least = 1): void {
  expect(Math.abs(got - want), `${label}: ${got}, expected ${want}`).toBeLessThanOrEqual(tolerance * Math.max(least, Math.abs(want)));
}
