import type { Device } from "@kto/tensor";
import { SFTTrainer, type SFTConfig, type SftRow } from "../index.js";
import { numScoredTokens } from "../data/rows.js";
import { expectRecordedRun } from "./recorded-run.js";

/** Trains as trl's SFT trainer did in a recorded run. */
export function expectSftRun(device: Device, name: string, changes: Partial<SFTConfig> = {}): Promise<void> {
  return expectRecordedRun<SFTConfig>(device, {
    kind: "sft",
    name,
    changes,
    make: (options) => new SFTTrainer(options),
    // No micro-batch scores more tokens: one token is at least this much of any accuracy.
    count: (rows, batchSize) => batchSize * Math.max(...(rows as readonly SftRow[]).map(({ documents }) => numScoredTokens(documents[0]!))),
  });
}
