import { spendItems } from "./budget.js";
import { dictOf } from "./operators.js";
import { toText } from "./printing.js";
import { PythonError, typeError } from "./python-error.js";
import { bind, method } from "./signature.js";
import { strftime } from "./strftime.js";
import {
  Callable,
  isNumber,
  iterate,
  type Keywords,
  Namespace,
  PyObject,
  rangeOf,
  toIndex,
  Tuple,
  Undefined,
  type Value,
} from "./values.js";

/** Longest `range()` the sandbox of transformers allows. */
const MAX_RANGE = 100_000;

/** The names every chat template finds, besides its variables. `now` is the clock of `strftime_now`. */
export function templateGlobals(now: () => Date): [string, Value][] {
  return [
    ["range", new Callable("range", range)],
    ["dict", new PyObject("TemplateDict", (name) => (name === "fromkeys" ? DICT_FROM_KEYS : undefined), makeDict)],
    [
      "namespace",
      new Callable(
        "namespace",
        (args, keywords) => new Namespace(new Map([...makeDict(args, keywords)].map(([key, value]) => [toText(key), value]))),
      ),
    ],
    ["cycler", new Callable("cycler", makeCycler)],
    ["joiner", new Callable("joiner", (args, keywords) => makeJoiner(bind("joiner", ["sep"], 0, args, keywords)[0] ?? ", "))],
    [
      "raise_exception",
      method("raise_exception", ["message"], 1, (message) => {
        throw new PythonError("TemplateError", toText(message!));
      }),
    ],
    ["strftime_now", method("strftime_now", ["format"], 1, (format) => strftime(now(), toText(format!)))],
  ];
}

const DICT_FROM_KEYS: Callable = method("fromkeys", ["iterable", "value"], 1, (keys, value = null) =>
  dictOf(iterate(keys!).map((key) => [key, value] as const)),
);

function range(args: Value[]): Value {
  if (args.length < 1 || args.length > 3) typeError(`range expected at least 1 argument, got ${args.length}`);
  for (const bound of args)
    if (typeof bound === "bigint" && (bound >= 2n ** 63n || bound < -(2n ** 63n))) {
      throw new PythonError("OverflowError", "Python int too large to convert to C ssize_t");
    }
  const bounds = args.map(toIndex);
  const [start, stop] = bounds.length === 1 ? [0, bounds[0]!] : [bounds[0]!, bounds[1]!];
  const step = bounds[2] ?? 1;
  if (step === 0) throw new PythonError("ValueError", "range() arg 3 must not be zero");
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (length > MAX_RANGE)
    throw new PythonError("OverflowError", `Range too big. The sandbox blocks ranges larger than MAX_RANGE (${MAX_RANGE}).`);
  return rangeOf(start, stop, step);
}

function makeDict(args: Value[], keywords: Keywords): Map<Value, Value> {
  const [source] = args;
  if (args.length > 1) typeError(`dict expected at most 1 argument, got ${args.length}`);
  if (source instanceof Undefined) source.fail();
  if (source instanceof Map) spendItems(source.size);
  const pairs = source instanceof Map ? [...source] : source === undefined ? [] : iterate(source).map(pairAt);
  return dictOf([...pairs, ...keywords]);
}

function pairAt(pair: Value, index: number): [Value, Value] {
  if (pair === null || isNumber(pair)) typeError(`cannot convert dictionary update sequence element #${index} to a sequence`);
  const items = iterate(pair);
  if (items.length === 2) return [items[0]!, items[1]!];
  throw new PythonError("ValueError", `dictionary update sequence element #${index} has length ${items.length}; 2 is required`);
}

function makeCycler(args: Value[]): Value {
  if (args.length === 0) throw new PythonError("RuntimeError", "at least one item has to be provided");
  let position = 0;
  const items = new Tuple(args);
  const advance = (): Value => {
    const item = items.items[position]!;
    position = (position + 1) % args.length;
    return item;
  };
  return new PyObject("Cycler", (name) => {
    if (name === "current") return items.items[position];
    if (name === "next") return method(name, [], 0, advance);
    return name === "reset" ? method(name, [], 0, () => ((position = 0), null)) : undefined;
  });
}

function makeJoiner(separator: Value): Value {
  let used = false;
  return new PyObject(
    "Joiner",
    () => undefined,
    () => {
      const result = used ? separator : "";
      used = true;
      return result;
    },
  );
}
