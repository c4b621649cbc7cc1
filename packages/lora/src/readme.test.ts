import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

it("the README's sample runs and prints what its comments say", () => {
  const sample = /```js\n([\s\S]*?)```/.exec(readFileSync(new URL("../README.md", import.meta.url), "utf8"))![1]!;
  const printed = execFileSync(process.execPath, ["--conditions=@kto/source", "--import=tsx", "--input-type=module", "--eval", sample], {
    cwd: fileURLToPath(new URL("..", import.meta.url)),
    encoding: "utf8",
  });
  const promised = [...sample.matchAll(/^console\.log\(.*\); \/\/ (.*)$/gm)].map((match) => match[1]);
  expect(printed.trimEnd().split("\n")).toEqual(promised);
});
