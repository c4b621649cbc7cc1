import type { Device } from "@kto/tensor";
import { DPOTrainer, type DPOConfig } from "../index.js";
import { expectRecordedRun } from "./recorded-run.js";

/** Trains as trl's DPO trainer did in a recorded run. */
export function expectDpoRun(device: Device, name: string, changes: Partial<DPOConfig> = {}): Promise<void> {
  return expectRecordedRun<DPOConfig>(device, {
    kind: "dpo",
    name,
    changes,
    make: (options, { reference }) => new DPOTrainer({ ...options, reference: reference?.startsWith("base model") ? "base" : "initial" }),
    count: (_rows, batchSize) => batchSize, // pairs
  });
}
