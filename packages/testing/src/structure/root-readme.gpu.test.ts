import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../../../../", import.meta.url));

test("the run in the README runs", () => {
  const sample = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(root, "README.md"), "utf8"))![1]!;
  const folder = mkdtempSync(join(tmpdir(), "kto-readme-"));
  const installed = process.env.KTO_DEVICE === "gpu" ? "" : 'await (await import("@kto/software-gpu")).installSoftwareGpu();\n';
  try {
    const code =
      installed +
      sample.replace(/import (\{.*\}) from "(.*)";/g, 'const $1 = await import("$2");').replace('"outputs"', JSON.stringify(folder));
    const command = ["--conditions=@kto/source", "--import=tsx", "--input-type=module", "--eval", code];
    const printed = execFileSync(process.execPath, command, { cwd: root, encoding: "utf8" }).trim().split("\n");
    expect(printed).toHaveLength(3);
    expect(printed[0]).toMatch(/^1 0\.5000 0$/);
    expect(readFileSync(join(folder, "checkpoint-3", "adapter_model.safetensors")).byteLength).toBeGreaterThan(1000);
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 300_000);
