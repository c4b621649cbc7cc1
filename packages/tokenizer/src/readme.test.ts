import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const samples = readFileSync(new URL("../README.md", import.meta.url), "utf8").matchAll(/```js\n([\s\S]*?)```/g);
const printed = [...samples].map(([, sample]) =>
  execFileSync(process.execPath, ["--conditions=@kto/source", "--import=tsx", "--input-type=module", "--eval", sample!], {
    cwd: fileURLToPath(new URL("../../..", import.meta.url)),
    encoding: "utf8",
  })
    .trimEnd()
    .split("\n"),
);

it("runs the samples of the README, in the root of a clone", () => {
  expect(printed).toEqual([
    [
      "491 39 445 75 78 389 345 75 67",
      "Hello world",
      "491 489 39 72 490 493 198",
      String.raw`"<｜begin▁of▁sentence｜><｜User｜>Hi<｜Assistant｜><think>\n"`,
    ],
    ["<|im_start|>user", "Hi<|im_end|>", "<|im_start|>assistant"],
  ]);
});
