import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { parse } from "yaml";
import { root } from "../repository.js";
import { boundedSettings, defaultSettings, peftConfig, settingBounds, trainingArgs } from "./settings.js";

/** Fields of kto.yaml that are of files and folders, or of how often something is told or kept. */
const ofTheCommand =
  /^(method|model_name_or_path|train_file|output_dir|overwrite_output_dir|use_peft|num_train_epochs|logging_steps|save_strategy|report_to)$/;

it("a run is the demo's", () => {
  const demo = parse(readFileSync(join(root, "examples/quickstart/kto.yaml"), "utf8")) as Record<string, unknown>;
  const args: Record<string, unknown> = { ...trainingArgs(defaultSettings) };
  const { r, loraAlpha, targetModules } = peftConfig;
  const page = { ...args, loraR: r, loraAlpha, loraTargetModules: targetModules };
  const camelCase = (name: string): string => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  const fields = Object.entries(demo).filter(([name]) => !ofTheCommand.test(name));
  expect(page).toMatchObject(Object.fromEntries(fields.map(([name, value]) => [camelCase(name), value])));
});

it("settings stay within their bounds", () => {
  expect(boundedSettings({})).toEqual(defaultSettings);
  expect(boundedSettings({ updates: 1e9, learningRate: -1, beta: Number.NaN })).toEqual({
    updates: settingBounds.updates.most,
    learningRate: settingBounds.learningRate.least,
    beta: defaultSettings.beta,
  });
  expect(boundedSettings({ updates: "12" })).toEqual(defaultSettings);
});
