import { fileDirectory } from "@kto/core/node";
import { readAdapterConfig } from "@kto/lora";
import { readModelConfig } from "@kto/qwen2";
import { openCheckpoint } from "@kto/safetensors";
import { openSafetensorsFile } from "@kto/safetensors/node";
import { fixturePath, readFixtureJson } from "@kto/testing/workspace";
import type { AdapterToMerge, ModelOnDisk } from "../index.js";

const opened: { dispose(): Promise<void> }[] = [];

/** Closes what was opened. */
export async function closeFixtures(): Promise<void> {
  for (const file of opened.splice(0)) await file.dispose();
}

/** A model of the fixtures. */
export async function openModel(...parts: string[]): Promise<ModelOnDisk> {
  const checkpoint = await openCheckpoint(fileDirectory(fixturePath(...parts)));
  opened.push(checkpoint);
  return { checkpoint, config: readModelConfig(readFixtureJson(...parts, "config.json")) };
}

/** An adapter that peft saved. */
export async function openAdapter(name: string, weight?: number): Promise<AdapterToMerge> {
  const folder = fixturePath("lora", name);
  const tensors = await openSafetensorsFile(`${folder}/adapter_model.safetensors`);
  opened.push(tensors);
  return { name, weight, config: await readAdapterConfig(fileDirectory(folder)), tensors };
}
