import { defaultsOf, type RuleMistake, type Values } from "@kto/core/config";
import { checkConfig } from "./check-config.js";
import { sftFields } from "./sft-fields.js";
import { trainingContradictions } from "./training-fields.js";

/** Arguments of `SFTTrainer`; names and defaults are trl 1.16's, in camelCase. What each means stands in `sftFields`. */
export interface SFTConfig extends Values<typeof sftFields> {}

/** Defaults of trl 1.16. */
export const sftDefaults: Readonly<SFTConfig> = defaultsOf(sftFields);

/** Complete arguments: the given ones over the defaults. Throws TrainerConfigError for an unknown field, a wrong value, or options that do not go together. */
export function sftConfig(given: Partial<SFTConfig> = {}): SFTConfig {
  return checkConfig("sftConfig", sftFields, given, { contradictions: sftContradictions });
}

/** What contradicts what in arguments that are each usable. */
export function sftContradictions(values: SFTConfig): RuleMistake[] {
  const { packing, evalPacking, maxLength } = values;
  const found = trainingContradictions(values);
  if ((packing || evalPacking === true) && maxLength === null)
    found.push({
      field: "maxLength",
      problem: "missing where rows are packed, and it is how long a packed row may be",
      expected: "a number of tokens",
      got: `null with {${packing ? "packing" : "evalPacking"}}`,
      advice: `set {maxLength}, or {${packing ? "packing" : "evalPacking"}} to false`,
    });
  return found;
}

/** Whether trl would lay out micro-batches without padding. */
export function isPaddingFree({ paddingFree, packing, packingStrategy }: SFTConfig): boolean {
  return paddingFree || (packing && packingStrategy !== "wrapped");
}
