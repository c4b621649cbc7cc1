import { defaultsOf, type RuleMistake, type Values } from "@kto/core/config";
import { cpoContradictions as lossContradictions } from "@kto/losses/plain";
import { checkConfig } from "./check-config.js";
import { cpoFields } from "./cpo-fields.js";
import { trainingContradictions } from "./training-fields.js";

/** Arguments of `CPOTrainer`; names and defaults are trl 1.16's, in camelCase. What each means stands in `cpoFields`. */
export interface CPOConfig extends Values<typeof cpoFields> {}

/** Defaults of trl 1.16. */
export const cpoDefaults: Readonly<CPOConfig> = defaultsOf(cpoFields);

/** Complete arguments: the given ones over the defaults. Throws TrainerConfigError for an unknown field, a wrong value, or options that do not go together. */
export function cpoConfig(given: Partial<CPOConfig> = {}): CPOConfig {
  return checkConfig("cpoConfig", cpoFields, given, { contradictions: cpoContradictions });
}

/** Arguments that the loss of a config does not read, which trl takes in silence: `cpoContradictions` has them too. */
export function cpoUnread(values: CPOConfig): RuleMistake[] {
  return lossContradictions(values);
}

/** What contradicts what in arguments that are each usable. */
export function cpoContradictions(values: CPOConfig): RuleMistake[] {
  return [...trainingContradictions(values), ...lossContradictions(values)];
}
