import { describeFields, type FieldDescription } from "@kto/core/config";
import { methods } from "../methods/index.js";
import { anyFields, fieldsOf } from "./train-fields.js";

/** A field in words, with the methods that have it so. */
export interface MethodField extends FieldDescription {
  methods: readonly string[];
  /** Whether those are all there are. */
  isOfAll: boolean;
}

/** The fields of `kto train` in words: each once where it is the same with every method that has it, else once for each way. */
export function fieldsByMethod(): MethodField[] {
  const ofMethods = methods.map((method) => ({ name: method.name, described: describeFields(fieldsOf(method)) }));
  return describeFields(anyFields).flatMap(({ name }) => {
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
