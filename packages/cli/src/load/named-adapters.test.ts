import { mkdirSync } from "node:fs";
import { basename } from "node:path";
import { expect, it } from "vitest";
import { ConfigError } from "../errors.js";
import { temporaryFolder } from "../testing/run-kto.js";
import { lastPart, namedAdapters } from "./named-adapters.js";

it.each([
  ["outputs/", "outputs", "outputs/"],
  ["./runs/first", "first", "./runs/first"],
  ["owner/some-adapter@main", "some-adapter", "owner/some-adapter@main"],
  ["polite=./runs/first", "polite", "./runs/first"],
  ["v1.5=owner/some-adapter", "v1.5", "owner/some-adapter"],
  ["./lr=1e-5/out", "out", "./lr=1e-5/out"],
])("%s is the adapter %s", (given, name, place) => expect(namedAdapters([given], "base")).toEqual([{ name, place }]));

it("a folder that has an equals sign in its name is a place", () => {
  using folder = temporaryFolder();
  mkdirSync(folder.file("beta=0.1"));
  const place = folder.file("beta=0.1");
  expect(namedAdapters([place], "base")).toEqual([{ name: "beta=0.1", place }]);
});

it("the folder that one stands in has its name", () => expect(lastPart(".")).toBe(basename(process.cwd())));

it("names every name that cannot be one", () => {
  const mistakes = (): unknown => namedAdapters(["a/x", "b/x", "=c", "d=", "two words=e", "models/tiny"], "owner/tiny@main");
  expect(mistakes).toThrow(ConfigError);
  try {
    mistakes();
  } catch (error) {
    expect((error as ConfigError).mistakes).toEqual([
      '--adapter: two are named "x"; expected a name of its own for each, got "a/x" and "b/x"; give one as NAME=b/x',
      '--adapter: not usable; expected PLACE, or NAME=PLACE with a name without blanks, got "=c"',
      '--adapter: not usable; expected PLACE, or NAME=PLACE with a name without blanks, got "d="',
      '--adapter: not usable; expected PLACE, or NAME=PLACE with a name without blanks, got "two words=e"',
      '--adapter: "tiny" is the base model\'s name; expected a name of its own, got "models/tiny"; give it as NAME=models/tiny',
    ]);
  }
});
