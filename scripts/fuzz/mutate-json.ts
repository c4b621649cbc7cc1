import { mutateText } from "./mutate-text.js";
import type { Random } from "./random.js";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Changes values of a JSON text where they stand: other types, extremes, depth, keys lost and doubled; now and then of its letters. */
export function mutateJson(input: Uint8Array, random: Random): Uint8Array {
  if (random.chance(0.2)) return mutateText(input, random);
  let json: Json;
  try {
    json = JSON.parse(new TextDecoder().decode(input)) as Json;
  } catch {
    return mutateText(input, random);
  }
  const places = 1 + random.length(6);
  for (let left = places; left > 0; left--) json = changed(json, random);
  return new TextEncoder().encode(written(json));
}

/** Down a random path; the deeper, the likelier it ends there. */
function changed(value: Json, random: Random): Json {
  if (typeof value !== "object" || value === null || random.chance(0.12)) return replaced(value, random);
  const keys = Object.keys(value);
  if (keys.length === 0) return replaced(value, random);
  const key = random.pick(keys);
  const copy: Json = Array.isArray(value) ? [...value] : { ...value };
  const fields = copy as Record<string, Json>;
  if (random.chance(0.08)) delete fields[key];
  else if (random.chance(0.05)) fields[`${key}${random.pick(["", "_", " ", "\u0000"])}`] = replaced(fields[key]!, random);
  else fields[key] = changed(fields[key]!, random);
  return Array.isArray(copy) ? copy.filter(() => true) : copy; // without the hole of what was deleted
}

function replaced(value: Json, random: Random): Json {
  switch (random.below(10)) {
    case 0:
      return random.pick([null, true, false, 0, 1, -1, 0.5, 1e9, 1e21, 2 ** 31, 2 ** 53, -0.1]);
    case 1:
      return random.pick([
        "",
        "x",
        "\ud800",
        "a".repeat(1 + random.length(100_000)),
        "__proto__",
        "toString",
        "(a+)+$",
        "[",
        "{{",
        "9".repeat(40),
      ]);
    case 2:
      return random.pick<Json>([[], {}, [null], [[]], { length: 1e9 }, { toString: 1 }, { content: { length: 1e9 } }]);
    case 3:
      return nested(value, 1 + random.length(5_000), random);
    case 4:
      return Array.from({ length: random.length(200) }, () => value);
    case 5:
      return { ...(typeof value === "object" && !Array.isArray(value) ? value : {}), [random.pick(["a", "type", "content", "id"])]: value };
    case 6:
      return typeof value === "number"
        ? -value * random.pick([1, 2, 0.5, 1e6])
        : typeof value === "string"
          ? value.slice(random.below(value.length + 1))
          : null;
    case 7:
      return typeof value === "string" ? value + value : [value];
    default:
      return typeof value === "number"
        ? value + random.pick([1, -1, 0.5, 1e9])
        : typeof value === "string"
          ? Number(value) || 0
          : JSON.stringify(value === null || typeof value === "boolean" ? value : {});
  }
}

function nested(value: Json, depth: number, random: Random): Json {
  const wrap = random.chance(0.5);
  let result = value;
  for (let level = 0; level < depth; level++) result = wrap ? [result] : { a: result };
  return result;
}

/** As JSON.stringify, whose stack a few thousand levels would end. */
function written(value: Json): string {
  const parts: string[] = [];
  const work: (Json | { text: string } | undefined)[] = [value];
  const texts = new WeakSet<object>();
  const text = (part: string): { text: string } => {
    const marked = { text: part };
    texts.add(marked);
    return marked;
  };
  while (work.length > 0) {
    const next = work.pop();
    if (next === undefined) continue;
    if (typeof next !== "object" || next === null) parts.push(JSON.stringify(next));
    else if (texts.has(next)) parts.push((next as { text: string }).text);
    else {
      const [open, close] = Array.isArray(next) ? ["[", "]"] : ["{", "}"];
      const items: (Json | { text: string })[] = [text(open)];
      Object.entries(next).forEach(([key, item], index) => {
        const label = Array.isArray(next) ? "" : `${JSON.stringify(key)}:`;
        items.push(text((index === 0 ? "" : ",") + label), item);
      });
      work.push(...[...items, text(close)].reverse());
    }
  }
  return parts.join("");
}
