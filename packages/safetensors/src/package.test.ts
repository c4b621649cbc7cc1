import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { expect, it } from "vitest";

const packageDir = fileURLToPath(new URL("..", import.meta.url));

it("the browser entry bundles without anything of Node", async () => {
  const bundle = await build({
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    minify: true,
    conditions: ["@kto/source"],
    entryPoints: [`${packageDir}src/index.ts`],
  });
  expect(bundle.outputFiles[0]!.text).not.toMatch(/\bprocess\b|\bBuffer\b|node:/); // and esbuild refuses node:* for browsers
});

it("the sample in the README runs", async () => {
  const readme = await readFile(`${packageDir}README.md`, "utf8");
  const sample = /```js\n(.*?)```/s.exec(readme)![1]!;
  const node = ["--import", "tsx", "--conditions=@kto/source", "--input-type=module", "--eval", sample];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, node, { cwd: packageDir });
  expect(stdout).toBe("lora_A BF16 [ 2, 3 ]\n[ 1, 2, 3, 4, 5, 6 ]\n");
  expect(stderr).toBe("");
});
