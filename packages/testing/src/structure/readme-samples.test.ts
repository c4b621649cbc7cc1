import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { listPackages } from "./workspace.js";

/** First `js` block of each README in which every `console.log` says in a comment what it prints. */
const samples = listPackages().flatMap(({ name, folder, manifest }) => {
  const path = join(folder, "README.md");
  const sample = manifest.private || !existsSync(path) ? undefined : /```js\n([\s\S]*?)```/.exec(readFileSync(path, "utf8"))?.[1];
  const promised = [...(sample ?? "").matchAll(/^console\.log\(.*\); \/\/ (.*)$/gm)].map((match) => match[1]!);
  return sample && promised.length > 0 && promised.length === sample.split("console.log(").length - 1
    ? [{ name, folder, sample, promised }]
    : [];
});

it("most packages have such a sample", () => expect(samples.length).toBeGreaterThanOrEqual(5));

it.each(samples)("the sample in $name's README prints what its comments say", ({ folder, sample, promised }) => {
  const command = ["--conditions=@kto/source", "--import=tsx", "--input-type=module", "--eval", sample];
  const printed = execFileSync(process.execPath, command, { cwd: folder, encoding: "utf8" });
  const lines = printed.trimEnd().split("\n");
  // "…" at the end of a comment stands for whatever follows, such as a version
  expect(lines.map((line, index) => (promised[index]?.endsWith("…") ? `${line.slice(0, promised[index].length - 1)}…` : line))).toEqual(
    promised,
  );
});
