import { PythonError, typeError } from "./python-error.js";
import { isNumber, iterate, typeName, type Value } from "./values.js";

/** The items of a value that must hold `wanted` of them. Throws Python's TypeError and ValueError. */
export function unpacked(value: Value, wanted: number): Value[] {
  const items = value === null || isNumber(value) ? typeError(`cannot unpack non-iterable ${typeName(value)} object`) : iterate(value);
  if (items.length < wanted) throw new PythonError("ValueError", `not enough values to unpack (expected ${wanted}, got ${items.length})`);
  if (items.length > wanted) throw new PythonError("ValueError", `too many values to unpack (expected ${wanted})`);
  return items;
}
