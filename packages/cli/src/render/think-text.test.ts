import { expect, it } from "vitest";
import { terminalText } from "./terminal-text.js";
import { ThinkText } from "./think-text.js";

/** The text with what is styled in brackets, neighbours joined. */
function shown(pieces: readonly string[], options?: { isThinking?: boolean }): string {
  const text = new ThinkText((part) => `[${part}]`, options);
  return (pieces.map((piece) => text.push(piece)).join("") + text.end()).replaceAll("][", "");
}

it.each<[string, string, object, string]>([
  ["thinking in the middle", "a<think>b</think>c", {}, "a[<think>b</think>]c"],
  ["an answer that begins in it", "b</think>c", { isThinking: true }, "[b</think>]c"],
  ["thinking that does not end", "a<think>b</thi", {}, "a[<think>b</thi]"],
  ["what only looks like it", "a < b <thin </think> <think", {}, "a < b <thin </think> <think"],
  ["twice", "<think></think>a<think>b</think>", {}, "[<think></think>]a[<think>b</think>]"],
])("%s, wherever pieces part it", (_what, text, options, expected) => {
  expect(shown([text], options)).toBe(expected);
  expect(shown([...text], options)).toBe(expected);
});

it("is shown as it comes, but for what may be the beginning of a tag", () => {
  const text = new ThinkText((part) => part);
  expect(["one ", "two <th", "ree", "<"].map((piece) => text.push(piece))).toEqual(["one ", "two ", "<three", ""]);
});

it("what a terminal would obey is not shown to it", () => {
  expect(terminalText("a\u001b[2Jb\tc\nd\u0007\u009b\r")).toBe("a\ufffd[2Jb\tc\nd\ufffd\ufffd\ufffd");
});
