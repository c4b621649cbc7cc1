import { existsSync, readFileSync, statSync } from "node:fs";
import {
  finalAdapterFailures,
  finalAdapterTolerance,
  fixturePath,
  listFixtures,
  readFixtureJson,
  readFixtureJsonl,
  trajectoryFailures,
  type LogRecord,
  type RunNoise,
} from "@kto/testing/workspace";
import { expect } from "vitest";
import { readTensors } from "../../../trainer/src/testing/read-tensors.js";
import { kto, temporaryFolder } from "./run-kto.js";

interface RunConfig {
  data: string;
  base_model: string;
  adapter: string;
  /** Null for a method without one. */
  reference: string | null;
  arguments: Record<string, unknown>;
}

/** A recorded run of trl: the method, and its name among those of the method. */
export type RecordedRun = readonly [method: string, name: string];

/** Every recorded run. Folders without a config (a README, a note) are no runs. */
export const recordedRuns: readonly RecordedRun[] = ["kto", "dpo", "sft"].flatMap((method) =>
  listFixtures(method, "runs")
    .filter((name) => statSync(fixturePath(method, "runs", name)).isDirectory())
    .map((name) => [method, name] as const),
);

/** Those of them that stand for the rest: of KTO ids and text, the adapter and the base as reference, both losses; of DPO and SFT torch's order of rows. */
export const typicalRuns: readonly RecordedRun[] = [
  ["kto", "main"],
  ["kto", "text"],
  ["kto", "continued-base-ref"],
  ["kto", "apo-zero-unpaired"],
  ["dpo", "sigmoid-shuffled"],
  ["sft", "shuffled"],
];

/** Trains as trl did in a recorded run, in float32; loss, metrics and adapter must be within the rule of fixtures/README.md, with `changes` to the arguments too. */
export async function expectTrlRun(method: string, name: string, changes: Record<string, unknown> = {}): Promise<void> {
  using folder = temporaryFolder();
  const config = readFixtureJson<RunConfig>(method, "runs", name, "config.json");
  const flags = {
    method,
    model_name_or_path: fixturePath(config.base_model),
    adapter_name_or_path: fixturePath(config.adapter),
    train_file: fixturePath(config.data),
    ...(config.reference !== null && { reference: config.reference.startsWith("base model") ? "base" : "initial" }),
    output_dir: folder.file("run"),
    save_strategy: "no",
    dtype: "float32",
    ...config.arguments,
    ...changes,
  };
  const outcome = await kto([
    "train",
    "--json",
    "--quiet",
    ...Object.entries(flags).flatMap(([field, value]) => [`--${field}`, String(value as unknown)]),
  ]);
  expect(outcome).toMatchObject({ status: 0 });

  const log = readFileSync(folder.file("run", "metrics.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as LogRecord);
  const expected = readFixtureJsonl<LogRecord>(method, "runs", name, "metrics.f64.jsonl");
  const noise = readFixtureJson<RunNoise>(method, "runs", name, "f32-vs-f64.json");
  expect(trajectoryFailures(log, expected, noise, { run: name })).toEqual([]);
  expect(JSON.parse(outcome.stdout)).toMatchObject({ global_step: expected.length });
  await expectFinalAdapter([method, name], folder.file("run", "adapter_model.safetensors"), noise);
}

/** Compares with the adapter of the float32 run where the fixture has it, else with the norm of each tensor. */
async function expectFinalAdapter([method, run]: RecordedRun, path: string, noise: RunNoise): Promise<void> {
  const tolerance = finalAdapterTolerance(noise["final_adapter"]?.max_abs ?? 0, run);
  const whole = fixturePath(method, "runs", run, "final-adapter.safetensors");
  const recorded = existsSync(whole)
    ? { tensors: await readTensors(whole) }
    : { norms: readFixtureJson<Record<string, number>>(method, "runs", run, "final-adapter-norms.json") };
  expect(finalAdapterFailures(await readTensors(path), recorded, tolerance)).toEqual([]);
}
