import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
const samples = [...readme.matchAll(/```js\n([\s\S]*?)```/g)].map((match) => match[1]!);

it.each([
  ["first", samples[0]!, 3],
  ["second", samples[1]!, 2],
])("the README's %s sample runs and prints what its comments say", (_which, sample, numPromised) => {
  const command = ["--conditions=@kto/source", "--import=tsx", "--input-type=module", "--eval", sample];
  const printed = execFileSync(process.execPath, command, { cwd: fileURLToPath(new URL("..", import.meta.url)), encoding: "utf8" })
    .trimEnd()
    .split("\n");
  const promised = [...sample.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map((match) => match[1]!);
  expect(promised).toHaveLength(numPromised);
  expect(printed.filter((line) => promised.includes(line))).toEqual(promised);
  if (sample === samples[0]) expect(printed).toContain("2 + 2 = 4 true");
});
