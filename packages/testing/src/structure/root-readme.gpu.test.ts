import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

// README's run as a program, and "the same run from the command line", each in a folder of its own: one adapter.

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const readme = readFileSync(join(root, "README.md"), "utf8");
const sample = /```ts\n([\s\S]*?)```/.exec(readme)![1]!;
const env = { ...process.env, KTO_DEVICE: process.env["KTO_DEVICE"] ?? "software" };
let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), "kto-readme-"))));
afterAll(() => rmSync(folder, { recursive: true }));

const adapterOf = (output: string): string =>
  createHash("sha256")
    .update(readFileSync(join(folder, output, "adapter_model.safetensors")))
    .digest("hex");

test("examples/first-run is the program of the README", () => {
  expect(readFileSync(join(root, "examples/first-run/main.ts"), "utf8")).toBe(sample);
});

test("README's run, as a program and as a command, learns and leaves the same adapter", () => {
  const outputs = JSON.stringify(join(folder, "program"));
  const program = sample.replace(/import (\{.*\}) from "(.*)";/g, 'const $1 = await import("$2");').replace('"outputs"', outputs);
  const node = (...argv: string[]): string =>
    execFileSync(process.execPath, ["--conditions=@kto/source", "--import=tsx", ...argv], {
      cwd: root,
      encoding: "utf8",
      env,
      stdio: "pipe",
    });
  const printed = node("--input-type=module", "--eval", program).trim().split("\n");
  expect(printed).toHaveLength(3);
  expect(printed[0]).toMatch(/^1 0\.5000 0$/);
  const [, loss, margins] = printed[2]!.split(" ").map(Number);
  expect(loss).toBeLessThan(0.5);
  expect(margins).toBeGreaterThan(0);

  const line = /^npm run kto -- (train --model .*)$/m.exec(readme)![1]!;
  const flags = line.replace("outputs-of-the-command", join(folder, "command")).split(" ");
  node("packages/cli/src/bin.ts", ...flags, "--quiet");
  expect(adapterOf("command")).toBe(adapterOf("program"));
}, 300_000);
