import { checkFields, libraryMessage, type Values } from "@kto/core/config";
import { TrainerConfigError } from "../config/kto-config.js";
import { trainingFields } from "../config/training-fields.js";

/** The arguments that every method has. What each means stands in `trainingFields`. */
export interface TrainingConfig extends Values<typeof trainingFields> {}

/** Complete arguments of a method without arguments of its own: the given ones over the defaults. Throws TrainerConfigError for an unknown field or a wrong value. */
export function trainingConfig(given: Partial<TrainingConfig> = {}): TrainingConfig {
  const { values, mistakes } = checkFields(
    trainingFields,
    { values: new Map(Object.entries(given)), places: new Map() },
    { spelling: "code" },
  );
  const [mistake] = mistakes;
  if (mistake === undefined) return values;
  const field = mistake.kind === "unusable" ? mistake.field : mistake.name;
  throw new TrainerConfigError(libraryMessage("trainingConfig", mistake, Object.keys(trainingFields)), field);
}
