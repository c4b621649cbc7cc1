import { excerpt } from "@kto/core";
import { diskName, diskNames, readFlag, readValue, type Fields, type GivenFields, type Mistake } from "@kto/core/config";
import { listed } from "@kto/datasets";
import { methods, type TrainMethod } from "../methods/index.js";
import { fieldsOf, methodField } from "./train-fields.js";

/** The method of a config; with a mistake one to go on with, so that others are found too. */
export interface ChosenMethod {
  method: TrainMethod;
  /** What is wrong with the name that is given. */
  mistake: string | undefined;
}

/** The method that a config names, or the one that the command names: `kto dpo` is `named`. */
export function chosenMethod({ values, places }: GivenFields, named: TrainMethod | undefined): ChosenMethod {
  const fallback = named ?? methods[0]!;
  if (!values.has("method")) return { method: fallback, mistake: undefined };
  const given = values.get("method");
  const place = places.get("method") ?? "method";
  const method = methods.find(({ name }) => name === readValue(methodField, given));
  if (method === undefined)
    return { method: fallback, mistake: `${place}: not usable; expected ${methodField.expected}, got ${excerpt(given)}` };
  if (named === undefined || method === named) return { method, mistake: undefined };
  const advice = `remove it, or run kto ${method.name} or kto train`;
  return { method: named, mistake: `${place}: the command is kto ${named.name}; expected ${named.name}, got ${method.name}; ${advice}` };
}

/** The methods that have a field of that name, where this one has not: of the fields of `kto train`, or of another command. */
export function ownersOf(name: string, chosen: TrainMethod, fieldsFor: (method: TrainMethod) => Fields = fieldsOf): string[] {
  const hasIt = (method: TrainMethod): boolean => diskNames(fieldsFor(method)).has(name);
  return hasIt(chosen) ? [] : methods.filter(hasIt).map((owner) => owner.name);
}

/** A mistake as what is wrong with a field that other methods have and this one has not; undefined for other mistakes. */
export function fieldOfOthers(mistake: Mistake, chosen: TrainMethod, given: GivenFields): string | undefined {
  if (mistake.kind === "unusable") return undefined;
  const owners = ownersOf(mistake.name, chosen);
  if (owners.length === 0) return undefined;
  const { name: method } = chosen;
  const value = excerpt(given.values.get(mistake.name));
  const advice = `remove it, or set method: ${owners.join(" or ")}`;
  return `${mistake.place}: a field of ${listed(owners)}, and the method is ${method}; expected fields of ${method}, got ${value}; ${advice}`;
}

/** Flags as the fields of a method take them: words that were read as a list, since another method takes one, are one text where this method does. */
export function asDeclared(fields: Fields, { values, places }: GivenFields): GivenFields {
  const words = new Map(
    Object.entries(fields).flatMap(([name, field]) => (field.kind === "list" ? [] : [[diskName(name, field), field] as const])),
  );
  const reread = [...values].map(([name, value]): [string, unknown] => {
    const field = words.get(name);
    const isFlag = places.get(name)?.startsWith("--") === true;
    return [name, field && isFlag && isWords(value) && field.kind !== "words" ? readFlag(field, value) : value];
  });
  return { values: new Map(reread), places };
}

/** Whether a flag came as words, which another method's field may read otherwise. */
function isWords(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((word) => typeof word === "string");
}
