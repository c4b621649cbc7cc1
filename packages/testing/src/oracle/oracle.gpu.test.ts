import { kernelRegistry, requestDevice, type Device } from "@kto/tensor";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { exampleSources } from "../kernels/sources.js";
import { checkCase } from "../check/check-case.js";
import { casesToRun } from "./index.js";

let device: Device;
const kernelsRun = new Set<string>();
const seen = new Set<string>();

beforeAll(async () => {
  device = await requestDevice();
});

afterEach(() => device.recorder.variants.clear());
afterAll(() => device?.dispose());

// Every case in the variants that are chosen for it, and each other variant with the first case that can run it; oracle.exhaustive.gpu.test.ts has the rest.
describe("on the device an op agrees with its oracle, and in every variant once", () => {
  it.each(casesToRun.map((oracle) => [oracle.name, oracle] as const))("%s", async (_name, oracle) => {
    for (const kernel of await checkCase(device, oracle, seen)) kernelsRun.add(kernel);
  });
});

it("every kernel was run by a case", () => {
  const notRun = [...kernelRegistry.values()].filter(({ name }) => !kernelsRun.has(name));
  const expected = notRun.filter(
    (kernel) => device.capabilities.shaderF16 || exampleSources(kernel).some(({ wgsl }) => !wgsl.includes("enable f16;")),
  );
  expect(expected.map(({ name }) => name)).toEqual([]);
});
