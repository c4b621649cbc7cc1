/**
 * Recorded runs of trl on this device, each against its float64 log.
 *
 *   npm run bench -- run-fixture FIXTURES KIND/RUN [KIND/RUN …] [--dtype f16|f32] [--force KERNEL=VARIANT …]      KIND: kto, dpo or sft
 *
 * Prints the largest difference of each metric, the mean signed difference of the loss, and how far the final adapter is off, as a share of its move.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fileDirectory } from "@kto/core/node";
import { loadDataset } from "@kto/datasets/node";
import { getPeftModel, type LoraWeights, type PeftModel } from "@kto/lora";
import { loadAdapter } from "@kto/lora/node";
import { Qwen2ForCausalLM } from "@kto/qwen2";
import { asTypedArray } from "@kto/safetensors";
import { openSafetensorsFile } from "@kto/safetensors/node";
import { requestDevice, type FloatDtype } from "@kto/tensor";
import { loadTokenizer } from "@kto/tokenizer/node";
import { DPOTrainer, KTOTrainer, SFTTrainer } from "@kto/trainer";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { dtype: { type: "string", default: "f16" }, force: { type: "string", multiple: true, default: [] } },
});
const [fixtures, ...runs] = positionals as [string, ...string[]];
const trainers = { kto: KTOTrainer, dpo: DPOTrainer, sft: SFTTrainer };
const device = await requestDevice();
for (const forced of values.force) device.recorder.variants.set(...(forced.split("=") as [string, string]));

/** The arguments that trl was given and that say what is computed. */
function argumentsOf(given: Record<string, unknown>): Record<string, unknown> {
  const named = Object.entries(given).filter(([name]) => name !== "bf16" && name !== "gradient_checkpointing");
  return Object.fromEntries(named.map(([name, value]) => [name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()), value]));
}

/** How far an adapter is from that of the recorded run, as a share of the way that it went. */
async function adapterShare(path: string, model: PeftModel, start: ReadonlyMap<string, LoraWeights>): Promise<number> {
  const reference = await openSafetensorsFile(path);
  let [moved, off] = [0, 0];
  for (const [name, { a, b }] of await model.readAdapter()) {
    for (const [matrix, ours, from] of [
      ["A", a, start.get(name)!.a],
      ["B", b, start.get(name)!.b],
    ] as const) {
      const theirs = asTypedArray((await reference.read(`base_model.model.${name}.lora_${matrix}.weight`)).data, "F32");
      ours.forEach((value, index) => {
        moved += (theirs[index]! - from[index]!) ** 2;
        off += (value - theirs[index]!) ** 2;
      });
    }
  }
  await reference.dispose();
  return Math.sqrt(off / moved);
}

for (const run of runs) {
  const [kind, name] = run.split("/") as [keyof typeof trainers, string];
  const folder = join(fixtures, kind, "runs", name);
  const settings = JSON.parse(readFileSync(join(folder, "config.json"), "utf8"));
  const truth: Record<string, number>[] = readFileSync(join(folder, "metrics.f64.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  using base = await Qwen2ForCausalLM.fromPretrained(fileDirectory(join(fixtures, settings.base_model)), {
    device,
    dtype: values.dtype as FloatDtype,
  });
  const { config, weights } = await loadAdapter(join(fixtures, settings.adapter), base);
  using model = getPeftModel(base, config, { weights });
  const trainer = new trainers[kind]({
    model,
    tokenizer: await loadTokenizer(join(fixtures, settings.base_model)),
    trainDataset: await loadDataset(join(fixtures, settings.data)),
    args: { ...argumentsOf(settings.arguments), saveStrategy: "no" },
  });
  const largest: Record<string, number> = {};
  let [signedLoss, relativeNorm] = [0, 0];
  for await (const { step, loss, gradNorm, learningRate, metrics } of trainer.train()) {
    const expected = truth[step - 1]!;
    const actual: Record<string, number> = { ...metrics, loss, grad_norm: gradNorm, learning_rate: learningRate };
    for (const [metric, value] of Object.entries(expected))
      if (metric !== "step") largest[metric] = Math.max(largest[metric] ?? 0, Math.abs(actual[metric]! - value));
    signedLoss += (loss - expected["loss"]!) / truth.length;
    relativeNorm = Math.max(relativeNorm, Math.abs(gradNorm / expected["grad_norm"]! - 1));
  }
  console.log(`${run} ${values.dtype} on ${device.capabilities.description}`);
  console.log(`  mean signed Δloss ${signedLoss.toExponential(2)}, grad_norm relative ${relativeNorm.toExponential(2)}`);
  for (const [metric, value] of Object.entries(largest)) console.log(`  ${metric.padEnd(22)} ${value.toExponential(2)}`);
  const final = join(folder, "final-adapter.safetensors");
  if (existsSync(final))
    console.log(`  final adapter: off by ${(100 * (await adapterShare(final, model, weights))).toFixed(2)} % of its move`);
}
device.dispose();
