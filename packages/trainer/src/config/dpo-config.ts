import { defaultsOf, type RuleMistake, type Values } from "@kto/core/config";
import { dpoContradictions as lossContradictions, unreadDpoOptions, weightingContradictions, type DpoLossType } from "@kto/losses/plain";
import { checkConfig } from "./check-config.js";
import { dpoFields } from "./dpo-fields.js";
import { trainingContradictions } from "./training-fields.js";

/** Arguments of `DPOTrainer`; names and defaults are trl 1.16's, in camelCase. What each means stands in `dpoFields`. */
export interface DPOConfig extends Values<typeof dpoFields> {}

/** Defaults of trl 1.16. */
export const dpoDefaults: Readonly<DPOConfig> = defaultsOf(dpoFields);

/** Complete arguments: the given ones over the defaults. Throws TrainerConfigError for an unknown field, a wrong value, or options that do not go together. */
export function dpoConfig(given: Partial<DPOConfig> = {}): DPOConfig {
  return checkConfig("dpoConfig", dpoFields, given, { contradictions: dpoContradictions });
}

/** The losses of a config, one or more, as a list. */
export function lossTypesOf({ lossType }: Pick<DPOConfig, "lossType">): readonly DpoLossType[] {
  return typeof lossType === "string" ? [lossType] : lossType;
}

/** Their weights as a list; null for 1. */
export function lossWeightsOf({ lossWeights }: Pick<DPOConfig, "lossWeights">): readonly number[] | null {
  return typeof lossWeights === "number" ? [lossWeights] : lossWeights;
}

/** Arguments that no loss of a config reads, which trl takes in silence: `dpoContradictions` has them too. */
export function dpoUnread(values: DPOConfig): RuleMistake[] {
  return unreadDpoOptions({ ...values, lossType: lossTypesOf(values) });
}

/** What contradicts what in arguments that are each usable. */
export function dpoContradictions(values: DPOConfig): RuleMistake[] {
  const { labelSmoothing, fDivergenceType } = values;
  const lossType = lossTypesOf(values);
  const found = trainingContradictions(values);
  found.push(...lossContradictions({ lossType, lossWeights: lossWeightsOf(values), labelSmoothing, fDivergenceType }));
  if (values.useWeighting) found.push(...weightingContradictions("useWeighting", lossType));
  if (values.ldAlpha !== null && lossType.includes("sft"))
    found.push({
      field: "ldAlpha",
      problem: "without meaning for sft, which counts every chosen token in full",
      expected: "null, or losses without sft",
      got: String(values.ldAlpha),
    });
  return found;
}
