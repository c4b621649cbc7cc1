import { diskName, spellOnDisk, type RuleMistake } from "@kto/core/config";
import type { TrainMethod } from "../methods/index.js";
import { fieldsOf, type TrainValues } from "./train-fields.js";

/** Puts values that trl takes and no loss of the config reads to what asks for nothing, as trl treats them, and says so. */
export function settleUnread(method: TrainMethod, values: TrainValues, unread: readonly RuleMistake[]): string[] {
  const fields = fieldsOf(method);
  return unread.map(({ field, problem, got, advice }) => {
    Object.assign(values, { [field]: fields[field]!.initial });
    const why = advice === undefined ? problem : `${problem}; ${advice}`;
    return `${diskName(field, fields[field]!)}: ${got} has no effect, as in trl: it is ${spellOnDisk(fields, why)}`;
  });
}
