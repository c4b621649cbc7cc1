import { type ErrorText, KtoError } from "@kto/core";
import { checkFields, defaultsOf, libraryText, type RuleMistake, type UnusableValue, type Values } from "@kto/core/config";
import { ktoFields } from "./kto-fields.js";

/** Arguments of `KTOTrainer`; names and defaults are trl 1.16's, in camelCase. What each means stands in `ktoFields`. */
export interface KTOConfig extends Values<typeof ktoFields> {}

/** Defaults of trl 1.16. */
export const ktoDefaults: Readonly<KTOConfig> = defaultsOf(ktoFields);

/** An argument of the wrong type or range, or arguments that contradict each other. */
export class TrainerConfigError extends KtoError {
  override name = "TrainerConfigError";
  readonly field: string;

  constructor(text: ErrorText, field: string) {
    super("TRAINER_CONFIG", text);
    this.field = field;
  }
}

/** Complete arguments: the given ones over the defaults. Throws TrainerConfigError for an unknown field, a wrong value, or `kto` with batches of one row. */
export function ktoConfig(given: Partial<KTOConfig> = {}): KTOConfig {
  return checkKtoConfig("ktoConfig", given, (text, field) => new TrainerConfigError(text, field));
}

/** The same for another operation, with an error of its own. */
export function checkKtoConfig(
  operation: string,
  given: Partial<KTOConfig>,
  toError: (text: ErrorText, field: string) => Error,
): KTOConfig {
  const { values, mistakes } = checkFields(ktoFields, { values: new Map(Object.entries(given)), places: new Map() }, { spelling: "code" });
  const mistake = mistakes[0] ?? ktoContradictions(values).map(inCode)[0];
  if (mistake === undefined) return values;
  const field = mistake.kind === "unusable" ? mistake.field : mistake.name;
  throw toError(libraryText(operation, mistake, Object.keys(ktoFields)), field);
}

/** What contradicts what in arguments that are each usable. */
export function ktoContradictions({
  lossType,
  perDeviceTrainBatchSize,
}: Pick<KTOConfig, "lossType" | "perDeviceTrainBatchSize">): RuleMistake[] {
  if (lossType !== "kto" || perDeviceTrainBatchSize >= 2) return [];
  return [
    {
      field: "perDeviceTrainBatchSize",
      problem: "too small for the loss kto",
      expected: "an integer of at least 2",
      got: String(perDeviceTrainBatchSize),
      advice:
        'each prompt is paired with another row\'s completion: raise it, or use {lossType} "apo_zero_unpaired", which has no KL estimate',
    },
  ];
}

function inCode(mistake: RuleMistake): UnusableValue {
  return { kind: "unusable", place: mistake.field, ...mistake };
}
