import { floatText } from "@kto/core";
import { represent, toText } from "./printing.js";
import { PythonError, typeError } from "./python-error.js";
import { isNumber, Tuple, typeName, type Value } from "./values.js";

const DIRECTIVE = /%(?:\(([^)]*)\))?([-+ #0]*)(\d*)(?:\.(\d+))?([a-zA-Z%])/g;

/** `format % values`: Python's old formatting, as the `format` filter uses it. Throws Python's TypeError and ValueError. */
export function percentFormat(format: string, values: Value): string {
  const items = values instanceof Tuple ? values.items : [values];
  let used = 0;
  const result = format.replace(
    DIRECTIVE,
    (_, key: string | undefined, flags: string, width: string, precision: string | undefined, conversion: string) => {
      if (conversion === "%") return "%";
      let value: Value | undefined;
      if (key !== undefined) {
        if (!(values instanceof Map)) typeError("format requires a mapping");
        value = values.get(key);
        if (value === undefined) throw new PythonError("KeyError", represent(key));
      } else {
        value = items[used++];
        if (value === undefined) typeError("not enough arguments for format string");
      }
      const text = convert(value, conversion, flags, precision === undefined ? undefined : Number(precision));
      const padding = Math.max(0, Number(width) - text.length);
      if (flags.includes("-")) return text + " ".repeat(padding);
      if (flags.includes("0") && isNumber(value)) return text.replace(/^[-+]?/, (sign) => sign + "0".repeat(padding));
      return " ".repeat(padding) + text;
    },
  );
  if (used < items.length && !(values instanceof Map)) typeError("not all arguments converted during string formatting");
  return result;
}

function convert(value: Value, conversion: string, flags: string, precision: number | undefined): string {
  if (conversion === "s" || conversion === "r") {
    const text = conversion === "s" ? toText(value) : represent(value);
    return precision === undefined ? text : text.slice(0, precision);
  }
  if (!isNumber(value)) typeError(`%${conversion} format: a real number is required, not ${typeName(value)}`);
  const sign = flags.includes("+") && Number(value) >= 0 ? "+" : "";
  switch (conversion) {
    case "d":
    case "i":
    case "u":
      return sign + BigInt(typeof value === "number" ? Math.trunc(value) : value).toString();
    case "x":
      return sign + BigInt(value).toString(16);
    case "X":
      return sign + BigInt(value).toString(16).toUpperCase();
    case "o":
      return sign + BigInt(value).toString(8);
    case "f":
    case "F":
      return sign + Number(value).toFixed(precision ?? 6);
    case "e":
      return (
        sign +
        Number(value)
          .toExponential(precision ?? 6)
          .replace(/e([+-])(\d)$/, "e$10$2")
      );
    case "g":
      return sign + floatText(Number(Number(value).toPrecision(Math.max(1, precision ?? 6)))).replace(/\.0$/, "");
  }
  throw new PythonError("ValueError", `unsupported format character '${conversion}'`);
}
