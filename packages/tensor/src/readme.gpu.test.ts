import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { transform } from "esbuild";
import { expect, it } from "vitest";
import {
  always,
  backward,
  defineKernel,
  defineOp,
  kernelRegistry,
  mul,
  read,
  requestDevice,
  scale,
  sum,
  wgsl,
  write,
  type Tensor,
} from "./index.js";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");

it("the sample prints what the README says", () => {
  const sample = /```js\n([\s\S]*?)```/.exec(readme)![1]!.replace(/import (\{.*\}) from "(.*)";/, 'const $1 = await import("$2");');
  const install = process.env["KTO_DEVICE"] === "gpu" ? "" : 'await (await import("@kto/software-gpu")).installSoftwareGpu();\n';
  const flags = ["--conditions=@kto/source", "--import=tsx", "--input-type=module", "--eval", install + sample];
  const printed = execFileSync(process.execPath, flags, { cwd: root, encoding: "utf8" });
  expect(printed).toBe(/```text\n([\s\S]*?)```/.exec(readme)![1]);
});

it("the kernel and op of the README work as written", async () => {
  const names = { always, defineKernel, defineOp, mul, read, scale, wgsl, write };
  const { code } = await transform(/```ts\n([\s\S]*?)```/.exec(readme)![1]!, { loader: "ts" });
  // oxlint-disable-next-line typescript/no-implied-eval -- the text is that of our own README
  const build = new Function(...Object.keys(names), `${code}\nreturn cube;`);
  const cube = build(...Object.values(names)) as (inputs: { x: Tensor }, options: object) => { output: Tensor };
  kernelRegistry.delete("cube");
  using device = await requestDevice();
  const x = device.tensor([1, 2, -3], [3], "f32");
  x.requiresGrad = true;
  const { output } = cube({ x }, {});
  expect([...(await output.read())]).toEqual([1, 8, -27]);
  using gradients = backward(sum(output));
  expect([...(await gradients.get(x)!.read())]).toEqual([3, 12, 27]);
});
