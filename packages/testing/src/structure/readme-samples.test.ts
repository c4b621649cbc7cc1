import { execFileSync } from "node:child_process";
import { transformSync } from "esbuild";
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { comparable, documentedSamples, promisedLines, sitePages } from "./samples.js";
import { ROOT } from "./workspace.js";

// From source, those that need no GPU; `npm run check:packs` compiles and runs all samples from packed tarballs.

const samples = documentedSamples().flatMap(({ place, code, run }) => {
  const promised = promisedLines(code);
  const needsGpu = /\b(requestDevice|openDevice)\b/.test(code);
  return run && !needsGpu && promised ? [{ place, code, promised }] : [];
});

it("most packages have a sample that says what it prints", () => expect(samples.length).toBeGreaterThanOrEqual(8));

it.each(samples)("the sample at $place prints what its comments say", ({ code, promised }) => {
  const command = ["--conditions=@kto/source", "--import=tsx", "--input-type=module", "--eval", transformSync(code, { loader: "ts" }).code];
  const printed = execFileSync(process.execPath, command, { cwd: ROOT, encoding: "utf8" });
  expect(comparable(printed, promised)).toEqual(promised);
});

it("pages of the site show whole programs, so that all of them are compiled", () => {
  const parts = sitePages().filter((path) => /^```(js|ts) .*fragment/m.test(readFileSync(path, "utf8")));
  expect(parts).toEqual([]);
});
