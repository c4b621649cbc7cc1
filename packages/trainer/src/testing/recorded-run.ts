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
} from "@kto/testing/workspace";
import { loadTokenizer } from "@kto/tokenizer/node";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import type { SourceRow, TrainerOptions, Trainer } from "../index.js";

/** `config.json` of a recorded run. */
export interface RunConfig {
  data: string;
  adapter: string;
  reference: string | null;
  num_rows_after_preparation: number;
  arguments: Record<string, unknown>;
}

const camelCase = (name: string): string => name.replace(/_(\w)/g, (_match, letter: string) => letter.toUpperCase());

/** Arguments that say how trl computes and not what. */
const notOurs = ["bf16", "gradient_checkpointing"];

/** What a trainer of a recorded run is made of. */
export type RunOptions<Config> = Pick<TrainerOptions<SourceRow, never>, "model" | "tokenizer" | "trainDataset"> & { args: Partial<Config> };

/** A trainer, as far as a recorded run needs one. */
type RunTrainer = Pick<Trainer<SourceRow>, "prepare" | "train" | "progress">;

/** A recorded run, and what is known of it. */
export interface RecordedRun<Config> {
  kind: "dpo" | "sft";
  name: string;
  /** Arguments in place of those that trl was given. */
  changes?: Partial<Config>;
  make(options: RunOptions<Config>, config: RunConfig): RunTrainer;
  /** The fewest things that an accuracy of a micro-batch is a mean of. */
  count(rows: readonly SourceRow[], batchSize: number): number;
}

/** Trains as trl did in a recorded run, in float32; loss, metrics and adapter must be within the rule of fixtures/README.md. */
export async function expectRecordedRun<Config>(device: Device, { kind, name, changes, make, count }: RecordedRun<Config>): Promise<void> {
  const config = readFixtureJson<RunConfig>(kind, "runs", name, "config.json");
  const given = Object.entries(config.arguments).filter(([field]) => !notOurs.includes(field));
  using base = await Qwen2ForCausalLM.fromPretrained(fileDirectory(fixturePath("model")), { device, dtype: "f32" });
  const { config: lora, weights } = await loadAdapter(fixturePath(config.adapter), base);
  using model = getPeftModel(base, lora, { weights });
  const trainer = make(
    {
      model,
      tokenizer: await loadTokenizer(fixturePath("model")),
      trainDataset: Dataset.from(readFixtureJsonl<DataRow>(config.data)),
      args: {
        ...Object.fromEntries(given.map(([field, value]) => [camelCase(field), value])),
        saveStrategy: "no",
        ...changes,
      } as unknown as Partial<Config>,
    },
    config,
  );
  const { rows } = await trainer.prepare();
  expect(rows).toHaveLength(config.num_rows_after_preparation);
  await trainer.train();
  const expected = readFixtureJsonl<LogRecord>(kind, "runs", name, "metrics.f64.jsonl");
  const noise = readFixtureJson<RunNoise>(kind, "runs", name, "f32-vs-f64.json");
  const log = trainer.progress.logHistory.filter(({ loss }) => loss !== undefined) as unknown as LogRecord[];
  const batchSize = config.arguments["per_device_train_batch_size"] as number;
  expect(trajectoryFailures(log, expected, noise, { run: name, count: count([...rows], batchSize) })).toEqual([]);
  await expectFinalAdapter(model, fixturePath(kind, "runs", name), noise);
}

/** Compares with the adapter of the float32 run where the fixture has it, else with the norm of each tensor. */
async function expectFinalAdapter(model: ReturnType<typeof getPeftModel>, folder: string, noise: RunNoise): Promise<void> {
  const tolerance = finalAdapterTolerance(noise["final_adapter"]!.max_abs);
  const found = new Map<string, Float32Array>();
  for (const [path, { a, b }] of await model.readAdapter()) {
    found.set(`base_model.model.${path}.lora_A.weight`, a);
    found.set(`base_model.model.${path}.lora_B.weight`, b);
  }
  const whole = join(folder, "final-adapter.safetensors");
  const recorded = existsSync(whole)
    ? { tensors: await readTensors(whole) }
    : { norms: JSON.parse(readFileSync(join(folder, "final-adapter-norms.json"), "utf8")) as Record<string, number> };
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
