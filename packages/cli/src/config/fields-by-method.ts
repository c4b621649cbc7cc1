import { describeFields, type FieldDescription, type Fields, type GivenFields } from "@kto/core/config";
import { ConfigError } from "../errors.js";
import { methods, type TrainMethod } from "../methods/index.js";
import { chosenMethod } from "./method-of.js";
import { fieldsOf, unionOf } from "./train-fields.js";

/** A field in words, with the methods that have it so. */
export interface MethodField extends FieldDescription {
  methods: readonly string[];
  /** Whether those are all there are. */
  isOfAll: boolean;
}

/** Fields of every method in words, by default those of `kto train`: each once where it is the same with every method that has it, else once for each way. */
export function fieldsByMethod(fieldsFor: (method: TrainMethod) => Fields = fieldsOf): MethodField[] {
  const ofMethods = methods.map((method) => ({ name: method.name, described: describeFields(fieldsFor(method)) }));
  return describeFields(unionOf(fieldsFor)).flatMap(({ name }) => {
    const ways = new Map<string, { field: FieldDescription; methods: string[] }>();
    for (const { name: method, described } of ofMethods) {
      const field = described.find((one) => one.name === name);
      if (field === undefined) continue;
      const key = JSON.stringify(field);
      ways.set(key, { field, methods: [...(ways.get(key)?.methods ?? []), method] });
    }
    return Array.from(ways.values(), (way) => ({ ...way.field, methods: way.methods, isOfAll: way.methods.length === methods.length }));
  });
}

/**
 * The fields for help of a command: those of the method that is named, by the command or beside `--help`; without one those of all methods, each with the methods
 * that have it unless all do. Throws ConfigError for a method that there is not.
 */
export function fieldsForHelp(
  fieldsFor: (method: TrainMethod) => Fields,
  given: GivenFields | undefined,
  named?: TrainMethod,
): FieldDescription[] {
  const { method, mistake } = given?.values.has("method") ? chosenMethod(given, named) : { method: named };
  if (mistake !== undefined) throw new ConfigError([mistake]);
  if (method === undefined)
    return fieldsByMethod(fieldsFor).map((one) => (one.isOfAll ? one : { ...one, help: `${one.methods.join(", ")}: ${one.help}` }));
  const { method: _named, ...fields } = fieldsFor(method);
  return describeFields(fields);
}
