import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

it("the README's sample runs and prints what its comments say", () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const sample = /```js\n([\s\S]*?)```/.exec(readme)![1]!;
  const command = ["--conditions=@kto/source", "--import=tsx", "--input-type=module", "--eval", sample];
  const printed = execFileSync(process.execPath, command, { cwd: fileURLToPath(new URL("..", import.meta.url)), encoding: "utf8" })
    .trimEnd()
    .split("\n");
  const promised = [...sample.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map((match) => match[1]!);
  expect(promised).toHaveLength(3);
  expect(printed.filter((line) => promised.includes(line))).toEqual(promised);
  expect(printed).toContain("2 + 2 = 4 true");
});
