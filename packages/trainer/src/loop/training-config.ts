import type { Values } from "@kto/core/config";
import { checkConfig } from "../config/check-config.js";
import { trainingContradictions, trainingFields } from "../config/training-fields.js";

/** The arguments that every method has. What each means stands in `trainingFields`. */
export interface TrainingConfig extends Values<typeof trainingFields> {}

/** Complete arguments of a method without arguments of its own: the given ones over the defaults. Throws TrainerConfigError for an unknown field or a wrong value. */
export function trainingConfig(given: Partial<TrainingConfig> = {}): TrainingConfig {
  return checkConfig("trainingConfig", trainingFields, given, { contradictions: trainingContradictions });
}
