import { kernelRegistry, requestDevice, type Device } from "@kto/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compileKernel } from "./compile.js";
import { exampleSources, type AnyKernel } from "./sources.js";

let device: Device;

beforeAll(async () => {
  device = await requestDevice({ nullBackend: true });
});

afterAll(() => device?.dispose());

describe("compiles without a GPU, in every variant", () => {
  it("a device without a GPU knows f16, subgroups and subgroup matrices", () => {
    const { shaderF16, subgroups } = device.capabilities;
    expect({ shaderF16, subgroups, matrices: device.gpuDevice.features.has("chromium-experimental-subgroup-matrix") }).toEqual({
      shaderF16: true,
      subgroups: true,
      matrices: true,
    });
  });

  it.each([...kernelRegistry.values()].map((kernel) => [kernel.name, kernel] as const))("%s", async (_name, kernel) => {
    const results = await compileKernel(device, kernel);
    expect(results.filter(({ problems }) => problems.length > 0)).toEqual([]);
    expect(results.length).toBeGreaterThan(0);
  });
});

it("a warning of the compiler counts as a failure", async () => {
  const kernel = kernelRegistry.get("fill")!;
  const broken = {
    ...kernel,
    source: () => ({ ...exampleSources(kernel)[0]!, wgsl: "@compute @workgroup_size(1) fn main() { return; let unreachable = 1; }" }),
  } as AnyKernel;
  const [result] = await compileKernel(device, broken);
  expect(result!.problems[0]).toMatch(/^warning in line 1: code is unreachable/);
});

describe("the final WGSL of some kernels", () => {
  const chosen: [kernel: string, variant: string, example: number][] = [
    ["rmsNorm", "subgroup", 1],
    ["rmsNorm", "rowPerLane", 0],
    ["rmsNormBackward", "plain", 0],
    ["logSumExp", "subgroup", 1],
    ["swiGlu", "plain", 1],
    ["binary", "plain", 0],
    ["adamw8bit", "subgroup", 0],
    ["adamw8bit", "plain", 0],
  ];
  it.each(chosen)("%s %s, example %i", async (name, variant, example) => {
    const sources = exampleSources(kernelRegistry.get(name)!).filter((source) => source.variant === variant);
    await expect(`${sources[example]!.wgsl}\n`).toMatchFileSnapshot(`./snapshots/${name}.${variant}.${example}.wgsl`);
  });
});
