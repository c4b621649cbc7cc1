import { Dataset, type DataRow } from "@kto/datasets";
import { getPeftModel } from "@kto/lora";
import { loadAdapter } from "@kto/lora/node";
import { Qwen2ForCausalLM } from "@kto/qwen2";
import { fileDirectory } from "@kto/qwen2/node";
import { toFloat32 } from "@kto/safetensors";
import { openSafetensorsFile } from "@kto/safetensors/node";
import type { Device } from "@kto/tensor";
import {
  finalAdapterFailures,
  finalAdapterTolerance,
  fixturePath,
  readFixtureJson,
  readFixtureJsonl,
  trajectoryFailures,
  type LogRecord,
  type RunNoise,
} from "@kto/testing";
import { loadTokenizer } from "@kto/tokenizer/node";
import { existsSync } from "node:fs";
import { expect } from "vitest";
import { DPOTrainer, type DPOConfig, type ReferenceKind } from "../index.js";

interface RunConfig {
  data: string;
  adapter: string;
  reference: string;
  num_rows_after_preparation: number;
  arguments: Record<string, unknown>;
}

const camelCase = (name: string): string => name.replace(/_(\w)/g, (_match, letter: string) => letter.toUpperCase());

/** Arguments that say how trl computes and not what. */
const notOurs = ["bf16", "gradient_checkpointing"];

/** Trains as trl did in a recorded run, in float32; loss, metrics and adapter must be within the rule of fixtures/README.md. */
export async function expectDpoRun(device: Device, name: string, changes: Partial<DPOConfig> = {}): Promise<void> {
  const config = readFixtureJson<RunConfig>("dpo", "runs", name, "config.json");
  const given = Object.entries(config.arguments).filter(([field]) => !notOurs.includes(field));
  const reference: ReferenceKind = config.reference.startsWith("base model") ? "base" : "initial";
  using base = await Qwen2ForCausalLM.fromPretrained(fileDirectory(fixturePath("model")), { device, dtype: "f32" });
  const { config: lora, weights } = await loadAdapter(fixturePath(config.adapter), base);
  using model = getPeftModel(base, lora, { weights });
  const trainer = new DPOTrainer({
    model,
    reference,
    tokenizer: await loadTokenizer(fixturePath("model")),
    trainDataset: Dataset.from(readFixtureJsonl<DataRow>(config.data)),
    args: { ...Object.fromEntries(given.map(([field, value]) => [camelCase(field), value])), saveStrategy: "no", ...changes },
  });
  expect((await trainer.prepare()).rows).toHaveLength(config.num_rows_after_preparation);
  await trainer.train();
  const expected = readFixtureJsonl<LogRecord>("dpo", "runs", name, "metrics.f64.jsonl");
  const noise = readFixtureJson<RunNoise>("dpo", "runs", name, "f32-vs-f64.json");
  const log = trainer.progress.logHistory.filter(({ loss }) => loss !== undefined) as unknown as LogRecord[];
  expect(trajectoryFailures(log, expected, noise, { run: name, count: smallestCount(name) })).toEqual([]);
  await expectFinalAdapter(model, name, noise);
}

/** Pairs, and so the fewest things that an accuracy of a micro-batch is a mean of. */
function smallestCount(name: string): number {
  return readFixtureJson<{ arguments: { per_device_train_batch_size: number } }>("dpo", "runs", name, "config.json").arguments
    .per_device_train_batch_size;
}

/** Compares with the adapter of the float32 run where the fixture has it, else with the norm of each tensor. */
async function expectFinalAdapter(model: ReturnType<typeof getPeftModel>, name: string, noise: RunNoise): Promise<void> {
  const tolerance = finalAdapterTolerance(noise["final_adapter"]!.max_abs);
  const found = new Map<string, Float32Array>();
  for (const [path, { a, b }] of await model.readAdapter()) {
    found.set(`base_model.model.${path}.lora_A.weight`, a);
    found.set(`base_model.model.${path}.lora_B.weight`, b);
  }
  const whole = fixturePath("dpo", "runs", name, "final-adapter.safetensors");
  const recorded = existsSync(whole)
    ? { tensors: await readTensors(whole) }
    : { norms: readFixtureJson<Record<string, number>>("dpo", "runs", name, "final-adapter-norms.json") };
  expect(finalAdapterFailures(found, recorded, tolerance)).toEqual([]);
}

/** Every tensor of a safetensors file, by name. */
export async function readTensors(path: string): Promise<Map<string, Float32Array>> {
  const file = await openSafetensorsFile(path);
  try {
    const tensors = new Map<string, Float32Array>();
    for (const name of file.tensors.keys()) {
      const { data, dtype } = await file.read(name);
      tensors.set(name, toFloat32(data, dtype).values);
    }
    return tensors;
  } finally {
    await file.dispose();
  }
}
