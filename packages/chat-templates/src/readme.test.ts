import { readFileSync } from "node:fs";
import { expect, it } from "vitest";

it("runs the sample of the README", async () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const sample = /```js\n([\s\S]*?)```/.exec(readme)?.[1] ?? "";
  const body = sample.replace(/^import (\{[^}]*\}) from "@kto\/chat-templates";$/m, "const $1 = library;");
  const printed: unknown[] = [];
  // eslint-disable-next-line no-new-func -- the sample is a script
  new Function("library", "console", body)(await import("./index.js"), { log: (text: unknown) => printed.push(text) });
  expect(printed).toEqual(["<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhat is 2 + 2?<|im_end|>\n<|im_start|>assistant\n"]);
});
