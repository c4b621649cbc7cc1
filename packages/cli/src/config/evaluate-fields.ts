import {
  choice,
  diskNames,
  field,
  integer,
  orNull,
  path,
  pickFields,
  redeclared,
  type Fields,
  type GivenFields,
  type Values,
} from "@kto/core/config";
import { excerpt } from "@kto/core";
import { listed } from "@kto/datasets";
import { hasReference, methods, type TrainMethod } from "../methods/index.js";
import { inputFields } from "./input-fields.js";
import { ownersOf } from "./method-of.js";
import { referenceField } from "./reference-field.js";
import { sharedFields, unionOf } from "./train-fields.js";

const place = path("a path or a name on the hub");

/** Arguments of every trainer that an evaluation takes. */
const sharedArguments = ["maxLength", "perDeviceTrainBatchSize", "perDeviceEvalBatchSize", "seed"] as const;

/** Fields of `kto evaluate` whatever the method. */
export const sharedEvaluateFields = {
  ...inputFields,
  ...pickFields(sharedFields, ...sharedArguments),
  method: field(orNull(choice(methods.map(({ name }) => name))), null, {
    group: "model",
    fate: "ours",
    help: "whose evaluation it is; by default told by the rows: pairs are dpo, labelled answers kto, texts and conversations sft",
  }),
  referenceModel: field(orNull(place), null, {
    group: "model",
    fate: "ours",
    help: "the model that rewards are held against, for a merged folder or a model trained in full; it is loaded first, and gone before the other",
  }),
  against: field(orNull(place), null, {
    group: "model",
    fate: "ours",
    help: "an adapter on the model, or another model, that is evaluated on the same rows and compared row by row",
  }),
  bootstrapResamples: field(integer(1), 1000, {
    group: "data",
    fate: "ours",
    help: "samples that the 95 % intervals are found by (bootstrap, percentiles)",
    notes: "drawn with `seed`",
  }),
  rowsFile: field(orNull(path("a file to write")), null, {
    group: "data",
    fate: "ours",
    help: "a JSONL file that gets a line a row: log-probabilities, rewards, and with against the difference",
  }),
};

/** Values of the fields that every method has here. */
export type EvaluateValues = Values<typeof sharedEvaluateFields>;

/** Fields of data that say what is scored. */
const ofData: ReadonlySet<string> = new Set(["datasetTextField", "eosToken"]);

/** What the evaluation of a method takes of its arguments, beside the fields of all: its loss, and what is scored. */
function argumentFields({ fields }: TrainMethod): Fields {
  return Object.fromEntries(
    Object.entries(fields).filter(([name, { group }]) => (group === "loss" && !name.startsWith("precompute")) || ofData.has(name)),
  );
}

/** Fields of `kto evaluate` with a method. */
export function evaluateFieldsOf(method: TrainMethod): Fields {
  const reference = redeclared(referenceField, "base", { help: "what the adapter is compared with: base, or initial, the adapter itself" });
  return { ...sharedEvaluateFields, ...argumentFields(method), ...(hasReference(method) && { reference }) };
}

/** The fields of all methods. */
export const evaluateFields: Fields = unionOf(evaluateFieldsOf);

/** What is given of the fields that say where everything is: all that can be checked before the rows say which method it is. */
export function givenOfAll({ values, places }: GivenFields): GivenFields {
  const known = diskNames(sharedEvaluateFields);
  return { values: new Map([...values].filter(([name]) => known.has(name))), places };
}

/** The arguments of a method's trainer. */
export function evaluateArguments(method: TrainMethod, values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return pickFields(values, ...sharedArguments, ...Object.keys(argumentFields(method)));
}

/** What is given without the fields that only other methods have, each of which is a mistake. */
export function withoutFieldsOfOthers(method: TrainMethod, { values, places }: GivenFields): { given: GivenFields; mistakes: string[] } {
  const kept = new Map(values);
  const mistakes: string[] = [];
  for (const [name, value] of values) {
    const owners = ownersOf(name, method, evaluateFieldsOf);
    if (owners.length === 0) continue;
    kept.delete(name);
    mistakes.push(
      `${places.get(name) ?? name}: a field of ${listed(owners)}, and this is the evaluation of ${method.name}; expected fields of ${method.name}, got ${excerpt(value)}; remove it, or set --method`,
    );
  }
  return { given: { values: kept, places }, mistakes };
}
