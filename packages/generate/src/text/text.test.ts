import { readFileSync } from "node:fs";
import { fixturePath } from "@kto/testing/workspace";
import { Tokenizer } from "@kto/tokenizer";
import { describe, expect, it } from "vitest";
import { StopStrings } from "./stop-strings.js";
import { TextStream } from "./text-stream.js";

const file = (name: string): string => readFileSync(fixturePath("model", name), "utf8");
const tokenizer = Tokenizer.fromFiles({ tokenizerJson: file("tokenizer.json"), tokenizerConfig: file("tokenizer_config.json") });

describe("text of ids that come one at a time", () => {
  it.each([
    "plain words, and  two blanks",
    "🦙 ünï 你好 \u{1F468}\u200d\u{1F469}\u200d\u{1F467}",
    " leading and trailing ",
    "\n\n\t",
    "a<think>b</think>",
    "",
  ])("%j", (text) => {
    const ids = tokenizer.encode(text, { addSpecialTokens: false });
    const stream = new TextStream(tokenizer);
    const pieces = ids.map((id) => stream.push(id));
    expect(pieces.slice(0, -1).join("")).not.toContain("\ufffd");
    expect(pieces.join("") + stream.end()).toBe(text);
  });

  it("random ids, and thousands of them, give what decoding all together gives", () => {
    let state = 7;
    const ids = Array.from({ length: 3000 }, () => (state = (state * 48271) % 2147483647) % tokenizer.vocabSize);
    for (const skipSpecialTokens of [true, false]) {
      const stream = new TextStream(tokenizer, { skipSpecialTokens });
      const start = performance.now();
      const text = ids.map((id) => stream.push(id)).join("") + stream.end();
      expect(text.replaceAll("\ufffd", "")).toBe(tokenizer.decode(ids, { skipSpecialTokens }).replaceAll("\ufffd", ""));
      expect(performance.now() - start).toBeLessThan(5000);
    }
  });

  it("a character that is never finished is shown at the end", () => {
    const [first] = tokenizer.encode("🦙", { addSpecialTokens: false });
    const stream = new TextStream(tokenizer);
    expect(stream.push(first!)).toBe("");
    expect(stream.end()).toContain("\ufffd");
  });
});

describe("stop strings", () => {
  const shown = (stops: string[], pieces: string[]): [string, string | undefined] => {
    const strings = new StopStrings(stops);
    const text = pieces.map((piece) => strings.push(piece)).join("");
    return [strings.found === undefined ? text + strings.end() : text, strings.found];
  };
  it.each<[string[], string[], string, string | undefined]>([
    [["END"], ["one E", "ND two"], "one ", "END"],
    [["END"], ["one E", "N two"], "one EN two", undefined],
    [["\n\n"], ["a\n", "b\n", "\nc"], "a\nb", "\n\n"],
    [["abc", "b"], ["xab"], "xa", "b"],
    [["aab"], ["aa", "ab"], "a", "aab"],
    [["stop"], ["no", "thing"], "nothing", undefined],
    [[], ["all"], "all", undefined],
  ])("%j in %j", (stops, pieces, text, found) => expect(shown(stops, pieces)).toEqual([text, found]));
});
