import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, it } from "vitest";

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "kto-without-webgpu-"));
  await build({
    entryPoints: [join(import.meta.dirname, "node.ts")],
    outfile: join(folder, "open-gpu.mjs"),
    bundle: true,
    platform: "node",
    format: "esm",
    external: ["webgpu"],
    conditions: ["@kto/source"],
  });
  const attempt = `import { openGpu } from "./open-gpu.mjs";
await openGpu().catch(({ name, code, message }) => console.log(JSON.stringify({ name, code, message })));`;
  writeFileSync(join(folder, "attempt.mjs"), attempt);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const attempt = (): unknown => JSON.parse(execFileSync(process.execPath, ["attempt.mjs"], { cwd: folder, encoding: "utf8" }));

it("without webgpu says which command brings it", () => {
  expect(attempt()).toEqual({
    name: "CapabilityError",
    code: "CAPABILITY",
    message: expect.stringMatching(/; run: npm i webgpu$/) as unknown,
  });
});

it("says why a webgpu that is there cannot be loaded", () => {
  const dawn = join(folder, "node_modules", "webgpu");
  mkdirSync(dawn, { recursive: true });
  writeFileSync(join(dawn, "package.json"), JSON.stringify({ name: "webgpu", type: "module", main: "index.js" }));
  writeFileSync(join(dawn, "index.js"), 'throw new Error("no binary for this machine");');
  expect(attempt()).toMatchObject({
    code: "CAPABILITY",
    message: expect.stringContaining("cannot be loaded: no binary for this machine") as unknown,
  });
});
