import type { Runtime } from "./interpreter.js";
import { bind } from "./signature.js";
import type { Keywords, Value } from "./values.js";

/** A filter: its input, the arguments after it, and the interpreter for filters that run others. */
export type Filter = (input: Value, args: Value[], keywords: Keywords, runtime: Runtime) => Value;

/** A filter with named parameters, none of which must be given unless `required` says so. */
export function filter(
  name: string,
  parameters: string[],
  body: (input: Value, ...args: (Value | undefined)[]) => Value,
  required = 0,
): [string, Filter] {
  return [name, (input, args, keywords) => body(input, ...bind(name, parameters, required, args, keywords))];
}
