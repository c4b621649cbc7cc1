/**
 * A KTO run of the fixtures on this device, against its float64 log.
 *
 *   npm run bench -- kto-fixture FIXTURES RUN [--dtype f16|f32]
 *
 * Prints the largest difference of each metric, and the mean signed difference of the loss.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fileDirectory } from "@kto/core/node";
import { loadDataset } from "@kto/datasets/node";
import { getPeftModel } from "@kto/lora";
import { loadAdapter } from "@kto/lora/node";
import { Qwen2ForCausalLM } from "@kto/qwen2";
import { asTypedArray } from "@kto/safetensors";
import { openSafetensorsFile } from "@kto/safetensors/node";
import { requestDevice, type FloatDtype } from "@kto/tensor";
import { loadTokenizer } from "@kto/tokenizer/node";
import { KTOTrainer } from "@kto/trainer";

const { values, positionals } = parseArgs({ allowPositionals: true, options: { dtype: { type: "string", default: "f16" } } });
const [fixtures, run] = positionals as [string, string];
const settings = JSON.parse(readFileSync(join(fixtures, "kto/runs", run, "config.json"), "utf8"));
const truth: Record<string, number>[] = readFileSync(join(fixtures, "kto/runs", run, "metrics.f64.jsonl"), "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line));

const device = await requestDevice();
const base = await Qwen2ForCausalLM.fromPretrained(fileDirectory(join(fixtures, settings.base_model)), {
  device,
  dtype: values.dtype as FloatDtype,
});
const { config, weights } = await loadAdapter(join(fixtures, settings.adapter), base);
const model = getPeftModel(base, config, { weights });
const given = settings.arguments;
const trainer = new KTOTrainer({
  model,
  tokenizer: await loadTokenizer(join(fixtures, settings.base_model)),
  trainDataset: await loadDataset(join(fixtures, settings.data)),
  args: {
    perDeviceTrainBatchSize: given.per_device_train_batch_size,
    gradientAccumulationSteps: given.gradient_accumulation_steps,
    maxSteps: given.max_steps,
    learningRate: given.learning_rate,
    lrSchedulerType: given.lr_scheduler_type,
    warmupSteps: given.warmup_steps,
    weightDecay: given.weight_decay,
    maxLength: given.max_length,
    gradientCheckpointing: true,
    loggingSteps: 1,
    saveStrategy: "no",
  },
});
const largest: Record<string, number> = {};
let signedLoss = 0;
let relativeNorm = 0;
for await (const { step, loss, gradNorm, learningRate, metrics } of trainer.train()) {
  const expected = truth[step - 1]!;
  const actual: Record<string, number> = { ...metrics, loss, grad_norm: gradNorm, learning_rate: learningRate };
  for (const [name, value] of Object.entries(expected))
    if (name !== "step") largest[name] = Math.max(largest[name] ?? 0, Math.abs(actual[name]! - value));
  signedLoss += (loss - expected.loss!) / truth.length;
  relativeNorm = Math.max(relativeNorm, Math.abs(gradNorm / expected.grad_norm! - 1));
  if (step <= 2) console.log(`step ${step}: loss ${loss}`);
}
console.log(
  `${run} ${values.dtype} on ${device.capabilities.description}: mean signed Δloss ${signedLoss.toExponential(2)}, grad_norm relative ${relativeNorm.toExponential(2)}`,
);
for (const [name, value] of Object.entries(largest)) console.log(`  ${name.padEnd(18)} ${value.toExponential(2)}`);

const reference = await openSafetensorsFile(join(fixtures, "kto/runs", run, "final-adapter.safetensors"));
const final = await model.readAdapter();
let moved = 0;
let off = 0;
for (const [path, { a, b }] of final) {
  for (const [matrix, ours, start] of [
    ["A", a, weights.get(path)!.a],
    ["B", b, weights.get(path)!.b],
  ] as const) {
    const theirs = asTypedArray((await reference.read(`base_model.model.${path}.lora_${matrix}.weight`)).data, "F32");
    ours.forEach((value, index) => {
      moved += (theirs[index]! - start[index]!) ** 2;
      off += (value - theirs[index]!) ** 2;
    });
  }
}
console.log(`  final adapter: difference ${(100 * Math.sqrt(off / moved)).toFixed(2)} % of the move`);
await reference.dispose();
model.dispose();
base.dispose();
device.dispose();
