import { defaultsOf, type RuleMistake, type Values } from "@kto/core/config";
import { checkConfig } from "./check-config.js";
import { orpoFields } from "./orpo-fields.js";
import { trainingContradictions } from "./training-fields.js";

/** Arguments of `ORPOTrainer`; names and defaults are trl 1.16's, in camelCase. What each means stands in `orpoFields`. */
export interface ORPOConfig extends Values<typeof orpoFields> {}

/** Defaults of trl 1.16. */
export const orpoDefaults: Readonly<ORPOConfig> = defaultsOf(orpoFields);

/** Complete arguments: the given ones over the defaults. Throws TrainerConfigError for an unknown field, a wrong value, or options that do not go together. */
export function orpoConfig(given: Partial<ORPOConfig> = {}): ORPOConfig {
  return checkConfig("orpoConfig", orpoFields, given, { contradictions: orpoContradictions });
}

/** What contradicts what in arguments that are each usable. */
export function orpoContradictions(values: ORPOConfig): RuleMistake[] {
  return trainingContradictions(values);
}
