import { getItem, dictItems } from "./attributes.js";
import { spend, spendItems, spendText } from "./budget.js";
import { type Filter, filter } from "./filter.js";
import { type Hash, hashOf } from "./hash.js";
import type { Runtime } from "./interpreter.js";
import { binary, equal, ordering } from "./operators.js";
import { parseDigits, toText } from "./printing.js";
import { PythonError, typeError } from "./python-error.js";
import { bind } from "./signature.js";
import { joinTexts } from "./string-methods.js";
import { characters } from "./text.js";
import {
  Generator,
  isNumber,
  iterate,
  type Keywords,
  lengthOf,
  toIndex,
  truthy,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from "./values.js";

type Getter = (item: Value) => Value;

const length = (input: Value): Value => BigInt(lengthOf(input));
const nothing = (reason: string): Value => new Undefined(reason);

/** Items of a list that a filter makes anew from those it is given. */
function mapped<Result>(items: Value[], convert: (item: Value) => Result): Result[] {
  spendItems(items.length, 32);
  return items.map(convert);
}

/** Reads `a.b.0` from an item; without an attribute the item itself; `fallback` stands for what is not there. */
function attributeGetter(attribute: Value, fallback?: Value): Getter {
  if (attribute === null) return (item) => item;
  const parts: Value[] =
    typeof attribute === "string" ? attribute.split(".").map((part) => (/^\d+$/.test(part) ? parseDigits(part) : part)) : [attribute];
  return (start) => {
    let item = start;
    for (const part of parts) {
      spend(1);
      item = getItem(item, part);
      if (item instanceof Undefined && fallback !== undefined) item = fallback;
    }
    return item;
  };
}

function ignoringCase(caseSensitive: Value, get: Getter): Getter {
  if (truthy(caseSensitive)) return get;
  return (item) => {
    const value = get(item);
    if (typeof value !== "string") return value;
    spendText(value.length);
    return value.toLowerCase();
  };
}

/** Sorts without moving equals; descending keeps the order of equals too, as Python's `reverse=True`. */
function sorted<Item>(items: Item[], key: (item: Item) => Value, reverse: boolean): Item[] {
  spendItems(2 * items.length, 64);
  const keyed = items.map((item) => ({ item, key: key(item) }));
  keyed.sort((a, b) => {
    spend(1);
    return reverse ? ordering("<", b.key, a.key) : ordering("<", a.key, b.key);
  });
  return keyed.map(({ item }) => item);
}

const sortItems = (input: Value, reverse: Value = false, caseSensitive: Value = false, attribute: Value = null): Value => {
  const attributes = typeof attribute === "string" ? attribute.split(",") : [attribute];
  const getters = attributes.map((name) => ignoringCase(caseSensitive, attributeGetter(name)));
  return sorted(
    iterate(input),
    (item) => (getters.length === 1 ? getters[0]!(item) : new Tuple(getters.map((get) => get(item)))),
    truthy(reverse),
  );
};

const extreme =
  (sign: 1 | -1) =>
  (input: Value, caseSensitive: Value = false, attribute: Value = null): Value => {
    const items = iterate(input);
    if (items.length === 0) return nothing("No aggregated item, sequence was empty.");
    const key = ignoringCase(caseSensitive, attributeGetter(attribute));
    let best: Value = items[0]!;
    let bestKey = key(best);
    for (let index = 1; index < items.length; index++) {
      const itemKey = key(items[index]!);
      if (sign * ordering(sign === 1 ? "<" : ">", itemKey, bestKey) < 0) {
        best = items[index]!;
        bestKey = itemKey;
      }
    }
    return best;
  };

const unique = (input: Value, caseSensitive: Value = false, attribute: Value = null): Value => {
  const key = ignoringCase(caseSensitive, attributeGetter(attribute));
  const seen = new Set<Hash>();
  return new Generator(
    iterate(input).filter((item) => {
      const hash = hashOf(key(item));
      if (seen.has(hash)) return false;
      spendItems(1, 48);
      seen.add(hash);
      return true;
    }),
  );
};

const groupBy = (input: Value, attribute: Value, fallback?: Value, caseSensitive: Value = false): Value => {
  const get = attributeGetter(attribute, fallback);
  const key = ignoringCase(caseSensitive, get);
  const groups: { key: Value; first: Value; items: Value[] }[] = [];
  for (const item of sorted(iterate(input), key, false)) {
    const last = groups.at(-1);
    const own = key(item);
    spendItems(1);
    if (last && equal(last.key, own)) {
      last.items.push(item);
    } else {
      spendItems(1, 200);
      groups.push({ key: own, first: get(item), items: [item] });
    }
  }
  return groups.map((group) => new Tuple([group.first, group.items], ["grouper", "list"]));
};

const batch = (input: Value, lineCount: Value, fill: Value = null): Value => {
  const size = toIndex(lineCount);
  if (size < 1) throw new PythonError("ValueError", "batch needs a positive size");
  const items = iterate(input);
  const rows: Value[][] = [];
  spendItems(items.length);
  for (let start = 0; start < items.length; start += size) {
    spendItems(1, 48);
    rows.push(items.slice(start, start + size));
  }
  const last = rows.at(-1);
  if (fill !== null && last) {
    spendItems(size - last.length);
    while (last.length < size) last.push(fill);
  }
  return new Generator(rows);
};

function reversible(input: Value): Value[] {
  if (input === null || isNumber(input)) throw new PythonError("FilterArgumentError", "argument must be iterable");
  return iterate(input);
}

const dictSort = (input: Value, caseSensitive: Value = false, by: Value = "key", reverse: Value = false): Value => {
  if (input instanceof Undefined) input.fail();
  if (!(input instanceof Map)) throw new PythonError("AttributeError", `'${typeName(input)}' object has no attribute 'items'`);
  if (by !== "key" && by !== "value") throw new PythonError("FilterArgumentError", 'You can only sort by either "key" or "value"');
  const key = ignoringCase(caseSensitive, (pair) => (pair as Tuple).items[by === "key" ? 0 : 1]!);
  return sorted(dictItems(input), key, truthy(reverse));
};

/** What is false holds nothing to Jinja's `map` and `select`, also a number. */
function itemsIfTrue(input: Value): Value[] {
  return truthy(input) ? iterate(input) : [];
}

/** `map(attribute=…, default=…)` or `map("filter", …)`. */
const mapItems: Filter = (input, args, keywords, runtime) => {
  let convert: Getter;
  if (args.length === 0 && keywords.has("attribute")) {
    const [attribute, fallback] = bind("map", ["attribute", "default"], 1, args, keywords);
    convert = attributeGetter(attribute!, fallback);
  } else {
    const [name, ...rest] = args;
    if (name === undefined) throw new PythonError("FilterArgumentError", "map requires a filter argument");
    convert = (item) => runtime.applyFilter(toText(name), item, rest, keywords);
  }
  return new Generator(mapped(itemsIfTrue(input), convert));
};

/** `select`, `reject`, `selectattr` and `rejectattr`: keep what a test says, or what is true where none is named. */
function selection(keep: boolean, byAttribute: boolean): Filter {
  return (input: Value, args: Value[], keywords: Keywords, runtime: Runtime): Value => {
    const [attribute, ...afterAttribute] = args;
    if (byAttribute && attribute === undefined) throw new PythonError("FilterArgumentError", "Missing parameter for attribute name");
    const get = byAttribute ? attributeGetter(attribute!) : (item: Value): Value => item;
    const [test, ...rest] = byAttribute ? afterAttribute : args;
    const passes = (item: Value): boolean =>
      test === undefined ? truthy(get(item)) : runtime.applyTest(toText(test), get(item), rest, keywords);
    const items = itemsIfTrue(input);
    spendItems(items.length);
    return new Generator(items.filter((item) => passes(item) === keep));
  };
}

/** Filters that read or make sequences. */
export const listFilters: [string, Filter][] = [
  filter("length", [], length),
  filter("count", [], length),
  filter("list", [], (input) => mapped(iterate(input), (item) => item)),
  filter("first", [], (input) => {
    const first = input instanceof Generator ? input.takeFirst() : Array.isArray(input) ? input[0] : iterate(input)[0];
    return first === undefined ? nothing("No first item, sequence was empty.") : first;
  }),
  filter("last", [], (input) => {
    if (input instanceof Generator) typeError("'generator' object is not reversible");
    const last = Array.isArray(input) ? input.at(-1) : iterate(input).at(-1);
    return last === undefined ? nothing("No last item, sequence was empty.") : last;
  }),
  filter("join", ["d", "attribute"], (input, separator = "", attribute = null) =>
    joinTexts(mapped(mapped(iterate(input), attributeGetter(attribute)), toText), toText(separator)),
  ),
  filter("reverse", [], (input) =>
    typeof input === "string"
      ? joinTexts(characters(input).reverse(), "")
      : new Generator(mapped(reversible(input), (item) => item).reverse()),
  ),
  filter("sort", ["reverse", "case_sensitive", "attribute"], sortItems),
  filter("unique", ["case_sensitive", "attribute"], unique),
  filter("min", ["case_sensitive", "attribute"], extreme(1)),
  filter("max", ["case_sensitive", "attribute"], extreme(-1)),
  filter("sum", ["attribute", "start"], (input, attribute = null, start = 0n) =>
    mapped(iterate(input), attributeGetter(attribute)).reduce((total, item) => binary("+", total, item), start),
  ),
  filter(
    "groupby",
    ["attribute", "default", "case_sensitive"],
    (input, attribute, fallback, caseSensitive) => groupBy(input, attribute!, fallback, caseSensitive),
    1,
  ),
  filter("batch", ["linecount", "fill_with"], (input, lineCount, fill) => batch(input, lineCount!, fill), 1),
  filter("dictsort", ["case_sensitive", "by", "reverse"], dictSort),
  filter("items", [], (input) => {
    if (input instanceof Undefined) return new Generator([]);
    if (!(input instanceof Map)) typeError("Can only get item pairs from a mapping.");
    return new Generator(dictItems(input));
  }),
  ["map", mapItems],
  ["select", selection(true, false)],
  ["reject", selection(false, false)],
  ["selectattr", selection(true, true)],
  ["rejectattr", selection(false, true)],
];
