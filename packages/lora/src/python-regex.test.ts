import { describe, expect, it } from "vitest";
import { LoraConfigError } from "./errors.js";
import { pythonRegex, type ModuleRegex } from "./python-regex.js";

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

describe("refuses what Python lacks, or is not read", () => {
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
    [String.raw`\pL`, "an escape that is not read"],
    [String.raw`[\p]`, "an escape that is not read"],
    [String.raw`\0`, "an octal escape"],
    [String.raw`(a)?\1`, "a reference to a group"],
    ["(?P<x>a)?(?P=x)", "a reference to a group"],
    ["[a", "a class without an end"],
    ["a\\", "a backslash at the end"],
    ["(a", "a group without an end (() at 0"],
    ["a)", "a parenthesis that closes nothing"],
    ["a**", "a quantifier of a quantifier"],
    ["a{1,2}{3}", "a quantifier of a quantifier"],
    ["*a", "a quantifier with nothing to repeat"],
    ["a|*", "a quantifier with nothing to repeat"],
    ["^*a", "a quantifier with nothing to repeat"],
    ["{1}", "a quantifier with nothing to repeat"],
    ["x{1,0}", "a quantifier whose least is above its most"],
    ["[z-a]", "a class with a bad range"],
    ["(?P<a>x)(?P<a>y)", "a group name that is taken"],
    [String.raw`\x4`, "an escape that is not read"],
  ])("%s", (expression, message) => {
    const compile = (): ModuleRegex => pythonRegex(expression, "full", "targetModules");
    expect(compile).toThrow(LoraConfigError);
    expect(compile).toThrow(message);
  });

  it("flags in a pattern key, which stands inside an expression", () =>
    expect(() => pythonRegex("(?i)q", "pattern", "rankPattern")).toThrow("flags, which must come first"));
});

describe("no expression takes long", () => {
  const long = "model.layers.11.self_attn.q_proj".repeat(3);

  it.each([
    ["(a+)+$"],
    ["(.*)*x"],
    ["(.+)+!"],
    ["([a-z.]+)+!"],
    ["(?:.*)*(?:.*)*(?:.*)*!"],
    [`${".*".repeat(40)}!`],
    ["(?=(.*)*!)x"],
    ["((((.*)*)*)*)*!"],
    ["(a|a|aa)*!"],
    ["(.?){30}!"],
    ["(?:(?=.*)(?<=.*).)*!"],
    [String.raw`(\w+\.?)+!`],
  ])("%s", (expression) => {
    const started = performance.now();
    expect(pythonRegex(expression, "full", "targetModules").test(long)).toBe(false);
    expect(performance.now() - started).toBeLessThan(500);
  });

  it.each([
    ["a{99999999999}", "more than 20000 steps"],
    ["((a{99}){99}){99}", "more than 20000 steps"],
    ["a".repeat(100_000), "expected at most 65536 letters, got 100000"],
    ["(".repeat(10_000), "more than 200 groups in one another"],
    ["((?=(.*(?=.*(?=.*(?=.*(?=.*(?=.*.)))))).)*!", "a group without an end"],
    [`${"(?<=.*".repeat(12)}.${")".repeat(12)}`, "work beyond all measure"],
  ])("%#: refused", (expression, message) => {
    const started = performance.now();
    expect(() => pythonRegex(expression, "full", "targetModules").test(long)).toThrow(message);
    expect(() => pythonRegex(expression, "full", "targetModules").test(long)).toThrow(LoraConfigError);
    expect(performance.now() - started).toBeLessThan(4_000);
  });
});
