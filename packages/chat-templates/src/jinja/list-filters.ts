import { getItem, dictItems } from "./attributes.js";
import { type Filter, filter } from "./filter.js";
import type { Runtime } from "./interpreter.js";
import { binary, equal, ordering } from "./operators.js";
import { toText } from "./printing.js";
import { PythonError, typeError } from "./python-error.js";
import { bind } from "./signature.js";
import { characters, Generator, iterate, type Keywords, lengthOf, toIndex, truthy, Tuple, Undefined, type Value } from "./values.js";

type Getter = (item: Value) => Value;

const length = (input: Value): Value => BigInt(lengthOf(input));
const nothing = (reason: string): Value => new Undefined(reason);

/** Reads `a.b.0` from an item; without an attribute the item itself; `fallback` stands for what is not there. */
function attributeGetter(attribute: Value, fallback?: Value): Getter {
  if (attribute === null) return (item) => item;
  const parts: Value[] =
    typeof attribute === "string" ? attribute.split(".").map((part) => (/^\d+$/.test(part) ? BigInt(part) : part)) : [attribute];
  return (start) => {
    let item = start;
    for (const part of parts) {
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
    return typeof value === "string" ? value.toLowerCase() : value;
  };
}

/** Sorts without moving equals; descending keeps the order of equals too, as Python's `reverse=True`. */
function sorted<Item>(items: Item[], key: (item: Item) => Value, reverse: boolean): Item[] {
  const keyed = items.map((item) => ({ item, key: key(item) }));
  keyed.sort((a, b) => (reverse ? ordering("<", b.key, a.key) : ordering("<", a.key, b.key)));
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
    return items.reduce((best, item) => (sign * ordering("<", key(item), key(best)) < 0 ? item : best));
  };

const unique = (input: Value, caseSensitive: Value = false, attribute: Value = null): Value => {
  const key = ignoringCase(caseSensitive, attributeGetter(attribute));
  const seen: Value[] = [];
  return new Generator(
    iterate(input).filter((item) => {
      const value = key(item);
      const isNew = !seen.some((other) => equal(other, value));
      if (isNew) seen.push(value);
      return isNew;
    }),
  );
};

const groupBy = (input: Value, attribute: Value, fallback?: Value, caseSensitive: Value = false): Value => {
  const get = attributeGetter(attribute, fallback);
  const key = ignoringCase(caseSensitive, get);
  const groups: { key: Value; first: Value; items: Value[] }[] = [];
  for (const item of sorted(iterate(input), key, false)) {
    const last = groups.at(-1);
    if (last && equal(last.key, key(item))) last.items.push(item);
    else groups.push({ key: key(item), first: get(item), items: [item] });
  }
  return groups.map((group) => new Tuple([group.first, group.items], ["grouper", "list"]));
};

const batch = (input: Value, lineCount: Value, fill: Value = null): Value => {
  const size = toIndex(lineCount);
  if (size < 1) throw new PythonError("ValueError", "batch needs a positive size");
  const items = iterate(input);
  const rows: Value[][] = [];
  for (let start = 0; start < items.length; start += size) rows.push(items.slice(start, start + size));
  if (fill !== null) while (rows.length > 0 && rows.at(-1)!.length < size) rows.at(-1)!.push(fill);
  return new Generator(rows);
};

const dictSort = (input: Value, caseSensitive: Value = false, by: Value = "key", reverse: Value = false): Value => {
  if (!(input instanceof Map)) typeError("dictsort needs a mapping");
  if (by !== "key" && by !== "value") throw new PythonError("FilterArgumentError", 'You can only sort by either "key" or "value"');
  const key = ignoringCase(caseSensitive, (pair) => (pair as Tuple).items[by === "key" ? 0 : 1]!);
  return sorted(dictItems(input), key, truthy(reverse));
};

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
  return new Generator(iterate(input).map(convert));
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
    return new Generator(iterate(input).filter((item) => passes(item) === keep));
  };
}

/** Filters that read or make sequences. */
export const listFilters: [string, Filter][] = [
  filter("length", [], length),
  filter("count", [], length),
  filter("list", [], (input) => [...iterate(input)]),
  filter("first", [], (input) => {
    const first = input instanceof Generator ? input.takeFirst() : iterate(input)[0];
    return first === undefined ? nothing("No first item, sequence was empty.") : first;
  }),
  filter("last", [], (input) => {
    if (input instanceof Generator) typeError("'generator' object is not reversible");
    const last = iterate(input).at(-1);
    return last === undefined ? nothing("No last item, sequence was empty.") : last;
  }),
  filter("join", ["d", "attribute"], (input, separator = "", attribute = null) =>
    iterate(input).map(attributeGetter(attribute)).map(toText).join(toText(separator)),
  ),
  filter("reverse", [], (input) =>
    typeof input === "string" ? characters(input).reverse().join("") : new Generator([...iterate(input)].reverse()),
  ),
  filter("sort", ["reverse", "case_sensitive", "attribute"], sortItems),
  filter("unique", ["case_sensitive", "attribute"], unique),
  filter("min", ["case_sensitive", "attribute"], extreme(1)),
  filter("max", ["case_sensitive", "attribute"], extreme(-1)),
  filter("sum", ["attribute", "start"], (input, attribute = null, start = 0n) =>
    iterate(input)
      .map(attributeGetter(attribute))
      .reduce((total, item) => binary("+", total, item), start),
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
