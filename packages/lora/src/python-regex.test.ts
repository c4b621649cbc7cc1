import { describe, expect, it } from "vitest";
import { LoraConfigError } from "./errors.js";
import { pythonRegex } from "./python-regex.js";

const path = "model.layers.11.self_attn.q_proj";

/** Expected values are Python's: bool(re.fullmatch(expression, text)). */
it.each([
  [String.raw`.*layers\.11\.(self_attn\.[qo]_proj|mlp\.down_proj)`, path, true],
  [String.raw`.*layers\.1\..*`, path, false],
  ["q_proj", path, false],
  ["model|.*q_proj", path, true],
  [".*(?P<letter>[qk])_proj", path, true],
  [String.raw`\A.*q_proj\Z`, path, true],
  ["(?i)MODEL.*Q_PROJ", path, true],
  ["(?u).*q_proj", path, true],
  ["a{,2}", "aa", true],
  ["a{,2}", "aaa", false],
  ["a{2,}?", "aaaa", true],
  ["a{,}", "aaaa", true],
  ["a{}", "a{}", true],
  ["a{x}", "a{x}", true],
  ["[]a]+", "a]a", true],
  ["[^]a]+", "bc", true],
  ["[^]a]+", "b]", false],
  [String.raw`[\w.]+`, path, true],
  [String.raw`(?:.*\.)?(?!k_)\w_proj`, path, true],
  [String.raw`.*(?<=q)_proj`, path, true],
  ["}]", "}]", true],
])("fullmatch %s on %s is %s", (expression, text, want) => {
  expect(pythonRegex(expression, "full", "targetModules").test(text)).toBe(want);
});

it.each([
  ["q_proj", path, true],
  ["proj", path, false],
  ["layers.11.self_attn.q_proj", path, true],
  ["ayers.11.self_attn.q_proj", path, false],
  [String.raw`layers\.\d+\.self_attn\.(q|k)_proj`, path, true],
  ["k_proj|q_proj", path, true],
  ["self_attn", path, false],
])("the pattern key %s on %s is %s", (key, text, want) => expect(pythonRegex(key, "pattern", "rankPattern").test(text)).toBe(want));

describe("refuses what JavaScript lacks or reads otherwise", () => {
  it.each([
    ["a++", "a possessive quantifier (++) at 1"],
    ["a{1,2}+", "a possessive quantifier ({1,2}+) at 1"],
    ["(?>a)", "an atomic group"],
    ["(a)?(?(1)b|c)", "a conditional group"],
    ["(?#note)a", "a comment"],
    ["(?<name>a)", "where Python has (?P<name>"],
    ["(?x) a", "the flag x"],
    ["(?i:a)", "flags inside the expression"],
    ["a(?i)b", "flags inside the expression"],
    [String.raw`\pL`, "an escape that JavaScript lacks"],
    [String.raw`[\p]`, "an escape that JavaScript lacks"],
    [String.raw`\0`, "an octal escape"],
    [String.raw`(a)?\1`, "a reference to a group"],
    ["(?P<x>a)?(?P=x)", "a reference to a group"],
    ["[a", "a class without an end"],
    ["a\\", "a backslash at the end"],
    ["(a", "is not a regular expression"],
    ["a**", "is not a regular expression"],
    ["*a", "is not a regular expression"],
  ])("%s", (expression, message) => {
    const compile = (): RegExp => pythonRegex(expression, "full", "targetModules");
    expect(compile).toThrow(LoraConfigError);
    expect(compile).toThrow(message);
  });

  it("flags in a pattern key, which stands inside an expression", () =>
    expect(() => pythonRegex("(?i)q", "pattern", "rankPattern")).toThrow("flags, which must come first"));
});
