import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const packageDir = fileURLToPath(new URL("..", import.meta.url));

it("the sample in the README runs", async () => {
  const readme = await readFile(`${packageDir}README.md`, "utf8");
  const sample = /```js\n(.*?)```/s.exec(readme)![1]!;
  const node = ["--import", "tsx", "--conditions=@kto/source", "--input-type=module", "--eval", sample];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, node, { cwd: packageDir });
  expect(stdout).toBe("1\nQ4_K [ 2, 256 ]\ntrue\n");
  expect(stderr).toBe("");
});
