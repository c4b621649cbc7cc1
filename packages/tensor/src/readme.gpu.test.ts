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
  logSigmoid,
  mean,
  mul,
  read,
  requestDevice,
  scale,
  sum,
  wgsl,
  write,
  type Tensor,
} from "./index.js";

/** The constructor of async functions has no name of its own. */
const AsyncFunction = (async () => {}).constructor as new (...text: string[]) => (...values: unknown[]) => Promise<void>;

const root = fileURLToPath(new URL("../../../", import.meta.url));
const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");

it("the sample prints what the README says", async () => {
  const { code } = await transform(/```ts\n([\s\S]*?)```/.exec(readme)![1]!, { loader: "ts" });
  const sample = code.replace(/import (\{.*\}) from "(.*)";/, 'const $1 = await import("$2");');
  const install = process.env["KTO_DEVICE"] === "gpu" ? "" : 'await (await import("@kto/software-gpu")).installSoftwareGpu();\n';
  const flags = ["--conditions=@kto/source", "--import=tsx", "--input-type=module", "--eval", install + sample];
  const printed = execFileSync(process.execPath, flags, { cwd: root, encoding: "utf8" });
  expect(printed).toBe(/```text\n([\s\S]*?)```/.exec(readme)![1]);
});

it("the kernel and op of the README work as written, and are called as it says", async () => {
  const names = { always, backward, defineKernel, defineOp, mul, read, scale, sum, wgsl, write };
  const blocks = [...readme.matchAll(/```ts fragment\n([\s\S]*?)```/g)].map((match) => match[1]!);
  expect(blocks).toHaveLength(2);
  const { code } = await transform(`${blocks.join("\n")}\nexport {};`, { loader: "ts" });
  using device = await requestDevice();
  const printed: unknown[][] = [];
  const build = new AsyncFunction("device", "console", ...Object.keys(names), code.replace(/export \{\s*\};/, ""));
  await build(device, { log: (...values: unknown[]) => printed.push(values) }, ...Object.values(names));
  kernelRegistry.delete("cube");
  expect(printed).toEqual([[Float32Array.of(1, 8, -27), Float32Array.of(3, 12, 27)]]);
});

it("the loss in the README is DPO's, with its gradient", async () => {
  const [text] = /scale\(mean\(logSigmoid.*?, -1\)/.exec(readme)!;
  // oxlint-disable-next-line typescript/no-implied-eval -- the text is that of our own README
  const loss = new Function("mean", "logSigmoid", "scale", "margins", "beta", `return ${text};`);
  using device = await requestDevice();
  const margins = device.tensor([2, -1], [2], "f32");
  margins.requiresGrad = true;
  const made = loss(mean, logSigmoid, scale, margins, 0.5) as Tensor;
  expect(await made.item()).toBeCloseTo((Math.log1p(Math.exp(-1)) + Math.log1p(Math.exp(0.5))) / 2, 6);
  using gradients = backward(made);
  const [first, second] = await gradients.get(margins)!.read();
  expect(first).toBeCloseTo((-0.5 * (1 / (1 + Math.exp(1)))) / 2, 6);
  expect(second).toBeCloseTo((-0.5 * (1 / (1 + Math.exp(-0.5)))) / 2, 6);
});
