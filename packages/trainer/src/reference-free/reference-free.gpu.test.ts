import { Dataset, type DataRow } from "@kto/datasets";
import { getPeftModel, type PeftModel } from "@kto/lora";
import { loadAdapter } from "@kto/lora/node";
import { Qwen2ForCausalLM } from "@kto/qwen2";
import { fileDirectory } from "@kto/qwen2/node";
import { requestDevice, type Device } from "@kto/tensor";
import { fixturePath, readFixtureJson, readFixtureJsonl } from "@kto/testing/workspace";
import { loadTokenizer } from "@kto/tokenizer/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cpoConfig, cpoMethod, orpoConfig, orpoMethod, preparePairDataset, type Method, type PairRow, type PassLayout } from "../index.js";
import { nothingBefore } from "../loop/method.js";
import { wholeBatches } from "../memory/passes.js";
import { adapterReferences } from "../scoring/reference.js";

interface Case {
  arguments: Record<string, string | number>;
  loss: number;
  grad_norm: number;
  metrics: Record<string, number>;
}
type Batch = Record<`${"chosen" | "rejected"}_${"input_ids" | "attention_mask" | "labels"}`, number[][]>;

const cases = readFixtureJson<{ adapter: string; results: Record<string, Case> }>("dpo", "losses", "reference-free.json");

let device: Device;
let base: Qwen2ForCausalLM;
let model: PeftModel<Qwen2ForCausalLM>;
let pairs: PairRow[];
beforeAll(async () => {
  device = await requestDevice();
  base = await Qwen2ForCausalLM.fromPretrained(fileDirectory(fixturePath("model")), { device, dtype: "f32" });
  const { config, weights } = await loadAdapter(fixturePath(cases.adapter), base);
  model = getPeftModel(base, config, { weights });
  const rows = readFixtureJsonl<DataRow>("dpo", "rows.jsonl").slice(0, 4);
  pairs = [...(await preparePairDataset(Dataset.from(rows), { tokenizer: await loadTokenizer(fixturePath("model")) })).rows];
});
afterAll(() => {
  model.dispose();
  base.dispose();
  device.dispose();
});

it.each(["orpo", "cpo-sigmoid"])("pairs are prepared as trl's trainer prepares them: %s", (name) => {
  const batch = readFixtureJson<Batch>("dpo", "losses", `batch-${name}.json`);
  for (const side of ["chosen", "rejected"] as const) {
    const rows = batch[`${side}_input_ids`].map((ids, row) => {
      const isScored = (position: number): boolean => batch[`${side}_labels`][row]![position] !== -100;
      const real = [...ids.keys()].filter((position) => batch[`${side}_attention_mask`][row]![position] === 1);
      return {
        promptIds: real.filter((position) => !isScored(position)).map((position) => ids[position]),
        completionIds: real.filter(isScored).map((position) => ids[position]),
      };
    });
    expect(pairs.map((pair) => pair[side])).toEqual(rows);
  }
});

describe("loss, gradient norm and metrics are trl's, in one pass and in several with layers run again", () => {
  it.each(Object.keys(cases.results))("%s", async (name) => {
    const expected = cases.results[name]!;
    const whole = await record(methodOf(name));
    expectNear(whole.loss, expected.loss, 3e-5, "loss");
    expectNear(whole.gradNorm, expected.grad_norm, 5e-4, "grad_norm");
    expect(Object.keys(whole.metrics).sort()).toEqual(Object.keys(expected.metrics).sort());
    // trl averages logits/* over prompts and padding too.
    const wanted = Object.entries(expected.metrics).filter(([metric]) => !metric.startsWith("logits/"));
    for (const [metric, value] of wanted) expectNear(whole.metrics[metric]!, value, 3e-5, metric);
    const parts = await record(methodOf(name), { checkpointedLayers: base.numHiddenLayers, tokensPerPass: 100 });
    expectNear(parts.loss, whole.loss, 1e-6, "loss of parts");
    expectNear(parts.gradNorm, whole.gradNorm, 1e-5, "grad_norm of parts");
    for (const [metric, value] of Object.entries(whole.metrics)) expectNear(parts.metrics[metric]!, value, 1e-5, `${metric} of parts`);
  });
});

/** The method with the arguments that trl was given. */
function methodOf(name: string): Method<PairRow> {
  const camelCase = (field: string): string => field.replace(/_(\w)/g, (_match, letter: string) => letter.toUpperCase());
  const given = Object.fromEntries(Object.entries(cases.results[name]!.arguments).map(([field, value]) => [camelCase(field), value]));
  return name === "orpo" ? orpoMethod(orpoConfig(given)) : cpoMethod(cpoConfig(given));
}

async function record(
  method: Method<PairRow>,
  layout: PassLayout = wholeBatches,
): Promise<{ loss: number; metrics: Record<string, number>; gradNorm: number }> {
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
    gradNorm: Math.sqrt(all.reduce((sum, value) => sum + value ** 2, 0)),
  };
}

function expectNear(got: number, want: number, tolerance: number, label: string): void {
  expect(Math.abs(got - want), `${label}: ${got}, expected ${want}`).toBeLessThanOrEqual(tolerance * Math.max(1, Math.abs(want)));
}
