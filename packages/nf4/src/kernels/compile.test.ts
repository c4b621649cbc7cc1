import { requestDevice, type Device } from "@kto/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compileKernel } from "../../../testing/src/kernels/compile.js";
import { exampleSources, type AnyKernel } from "../../../testing/src/kernels/sources.js";
import { expandEightsKernel } from "./expand-nf4-eights.wgsl.js";
import { expandKernel } from "./expand-nf4.wgsl.js";
import { matVecBackwardKernel } from "./nf4-mat-vec-backward.wgsl.js";
import { matVecKernel } from "./nf4-mat-vec.wgsl.js";
import { nf4FewRowsKernel, nf4FewRowsMatrixKernel } from "./nf4-few-rows.wgsl.js";
import { quantizeKernel } from "./quantize-nf4.wgsl.js";

let device: Device;
beforeAll(async () => {
  device = await requestDevice({ nullBackend: true });
});
afterAll(() => device?.dispose());

const kernels = [
  expandKernel,
  matVecKernel,
  matVecBackwardKernel,
  nf4FewRowsKernel,
  nf4FewRowsMatrixKernel,
  quantizeKernel,
  expandEightsKernel,
] as unknown as AnyKernel[];

describe("compiles without a GPU, in every variant", () => {
  it("a device without a GPU knows f16 and subgroups", () => {
    const { shaderF16, subgroups } = device.capabilities;
    expect({ shaderF16, subgroups }).toEqual({ shaderF16: true, subgroups: true });
  });

  it.each(kernels.map((kernel) => [kernel.name, kernel] as const))("%s", async (_name, kernel) => {
    const results = await compileKernel(device, kernel);
    expect(results.filter(({ problems }) => problems.length > 0)).toEqual([]);
    expect(results).toHaveLength(kernel.variants.length * kernel.examples.length);
  });
});

it("no kernel that reads codes wants f16 of the device, unless its operands are f16", () => {
  const sources = kernels.flatMap(exampleSources).filter(({ label }) => !/nf4MatVec|nf4FewRowsMatrix subgroup/.test(label));
  expect(sources.filter(({ wgsl }) => wgsl.includes("enable f16"))).toEqual([]);
});

describe("the final WGSL", () => {
  it.each<[kernel: AnyKernel, variant: string]>([
    [kernels[0]!, "vector"],
    [kernels[1]!, "subgroup"],
    [kernels[2]!, "workgroup"],
    [kernels[3]!, "subgroup"],
    [kernels[4]!, "emulated"],
    [kernels[5]!, "plain"],
    [kernels[6]!, "plain"],
  ])("of each kernel: $name", async (kernel, variant) => {
    const source = exampleSources(kernel).find((each) => each.variant === variant)!;
    await expect(`${source.wgsl}\n`).toMatchFileSnapshot(`../../../testing/src/kernels/snapshots/${kernel.name}.${variant}.0.wgsl`);
  });
});
