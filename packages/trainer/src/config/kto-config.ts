import { defaultsOf, type RuleMistake, type Values } from "@kto/core/config";
import { checkConfig } from "./check-config.js";
import { ktoFields } from "./kto-fields.js";
import { trainingContradictions } from "./training-fields.js";

/** Arguments of `KTOTrainer`; names and defaults are trl 1.16's, in camelCase. What each means stands in `ktoFields`. */
export interface KTOConfig extends Values<typeof ktoFields> {}

/** Defaults of trl 1.16. */
export const ktoDefaults: Readonly<KTOConfig> = defaultsOf(ktoFields);

/** Complete arguments: the given ones over the defaults. Throws TrainerConfigError for an unknown field, a wrong value, or `kto` with batches of one row. */
export function ktoConfig(given: Partial<KTOConfig> = {}): KTOConfig {
  return checkConfig("ktoConfig", ktoFields, given, { contradictions: ktoContradictions });
}

/** What contradicts what in arguments that are each usable. */
export function ktoContradictions(
  values: Pick<KTOConfig, "lossType" | "perDeviceTrainBatchSize"> & Parameters<typeof trainingContradictions>[0],
): RuleMistake[] {
  const { lossType, perDeviceTrainBatchSize } = values;
  const found = trainingContradictions(values);
  if (lossType === "kto" && perDeviceTrainBatchSize < 2)
    found.push({
      field: "perDeviceTrainBatchSize",
      problem: "too small for the loss kto",
      expected: "an integer of at least 2",
      got: String(perDeviceTrainBatchSize),
      advice:
        'each prompt is paired with another row\'s completion: raise it, or use {lossType} "apo_zero_unpaired", which has no KL estimate',
    });
  return found;
}
