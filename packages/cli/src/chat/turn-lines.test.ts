import { expect, it } from "vitest";
import { TurnLines } from "./turn-lines.js";

function turnsOf(...given: string[]): (string | undefined)[] {
  const lines = new TurnLines();
  const turns = given.map((line) => lines.push(line)).filter((turn) => turn !== undefined);
  return [...turns, lines.end()];
}

it.each<[string, string[], (string | undefined)[]]>([
  ["a line is a turn", ["one", "", "two"], ["one", "", "two", undefined]],
  ["a backslash joins", ["one\\", "two\\", "three", "four"], ["one\ntwo\nthree", "four", undefined]],
  ["quotes join", ['"""', "one", "", "two\\", '"""', "three"], ["one\n\ntwo\\", "three", undefined]],
  ["quotes beside text", ['  """one', 'two"""  '], ["one\ntwo", undefined]],
  ["quotes on one line", ['"""one"""', '""""""'], ["one", "", undefined]],
  ["quotes inside a line are text", ['say """hi"""'], ['say """hi"""', undefined]],
  ["what is open at the end is a turn", ['"""one', "two"], ["one\ntwo"]],
  ["a backslash at the end", ["one\\"], ["one"]],
])("%s", (_what, lines, turns) => expect(turnsOf(...lines)).toEqual(turns));

it("a turn that is given up leaves nothing", () => {
  const lines = new TurnLines();
  lines.push('"""');
  lines.push("one");
  expect(lines.isOpen).toBe(true);
  lines.reset();
  expect(lines.isOpen).toBe(false);
  expect(lines.push("two")).toBe("two");
});
