import { spend } from "./budget.js";
import { typeError } from "./python-error.js";
import { Callable, type Keywords, type Value } from "./values.js";

/**
 * Binds arguments to parameter names as a Python call does; a parameter that was not given stays undefined.
 * `required` counts the leading parameters that must be given. Throws Python's TypeError.
 */
export function bind(name: string, parameters: string[], required: number, args: Value[], keywords: Keywords): (Value | undefined)[] {
  if (args.length > parameters.length) {
    typeError(`${name}() takes ${parameters.length} positional arguments but ${args.length} were given`);
  }
  const bound: (Value | undefined)[] = parameters.map((_, index) => args[index]);
  for (const [key, value] of keywords) {
    const index = parameters.indexOf(key);
    if (index === -1) typeError(`${name}() got an unexpected keyword argument '${key}'`);
    if (index < args.length) typeError(`${name}() got multiple values for argument '${key}'`);
    bound[index] = value;
  }
  const missing = parameters.slice(0, required).filter((_, index) => bound[index] === undefined);
  if (missing.length > 0) {
    typeError(
      `${name}() missing ${missing.length} required positional argument${missing.length > 1 ? "s" : ""}: ${missing.map((word) => `'${word}'`).join(" and ")}`,
    );
  }
  return bound;
}

/** What making a method and binding its arguments takes. */
const METHOD_STEPS = 5;

/** A method of a string, list or dict. */
export function method(name: string, parameters: string[], required: number, body: (...args: (Value | undefined)[]) => Value): Callable {
  return new Callable(name, (args, keywords) => {
    spend(METHOD_STEPS);
    return body(...bind(name, parameters, required, args, keywords));
  });
}
