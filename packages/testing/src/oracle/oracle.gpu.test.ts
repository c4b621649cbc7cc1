import { kernelRegistry, requestDevice, type Device } from "@kto/tensor";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { expectClose, expectSmallError, gemmTolerance, gradientFactor, toleranceOf } from "../tolerances.js";
import { gradientOf, usesF16, valuesOf, type Arrays, type OracleCase } from "./case.js";
import { oracleCases } from "./index.js";
import { exampleSources } from "../kernels/sources.js";
import { possibleVariants, recordKernels, runCase, type CaseResult } from "./run-case.js";

let device: Device;
const kernelsRun = new Set<string>();

beforeAll(async () => {
  device = await requestDevice();
});

afterEach(() => device.variants.clear());
afterAll(() => device?.dispose());

describe("on the device an op agrees with its oracle, in every variant", () => {
  it.each(oracleCases.map((oracle) => [oracle.name, oracle] as const))("%s", async (_name, oracle) => {
    if (usesF16(oracle) && !device.capabilities.shaderF16) {
      if (!oracle.emulated) return; // other kernels on f16 tensors need the feature; the run on a GPU has it
      for (const [kernel, variant] of Object.entries(oracle.emulated)) device.variants.set(kernel, variant);
    }
    const values = valuesOf(oracle);
    const outputs = oracle.forward(values);
    const gradients = oracle.vjp?.(values, gradientOf(outputs["y"]!)) ?? {};
    const before = device.memory().liveStorages;

    let first: CaseResult | undefined;
    const used = await recordKernels(async () => {
      first = await runCase(device, oracle, outputs["y"]);
    });
    expectAgreement(oracle, first!, outputs, gradients, "chosen variants");
    const second = await runCase(device, oracle, outputs["y"]);
    expect(differingValues(second, first!), "a second run repeats bit for bit").toEqual([]);

    for (const kernel of used.keys()) kernelsRun.add(kernel);
    for (const [kernel, specs] of oracle.manyGroups && device.capabilities.software ? [] : used) {
      const variants = possibleVariants(kernel, specs, device.capabilities);
      if (variants.length < 2) continue;
      for (const variant of variants) {
        device.variants.set(kernel, variant);
        try {
          expectAgreement(oracle, await runCase(device, oracle, outputs["y"]), outputs, gradients, `${kernel} ${variant}`);
        } finally {
          device.variants.delete(kernel);
        }
      }
    }
    expect(device.memory().liveStorages, "live storages").toBe(before);
  });
});

it("every kernel was run by a case", () => {
  const notRun = [...kernelRegistry.values()].filter(({ name }) => !kernelsRun.has(name));
  const expected = notRun.filter(
    (kernel) => device.capabilities.shaderF16 || exampleSources(kernel).some(({ wgsl }) => !wgsl.includes("enable f16;")),
  );
  expect(expected.map(({ name }) => name)).toEqual([]);
});

/** Names of results that are not the same in both runs. */
function differingValues(a: CaseResult, b: CaseResult): string[] {
  const same = (x: ArrayLike<number>, y: ArrayLike<number>): boolean =>
    x.length === y.length && Array.prototype.every.call(x, (value, i) => Object.is(value, y[i]));
  return (["outputs", "gradients"] as const).flatMap((kind) =>
    Object.keys(b[kind]).filter((name) => !same(a[kind][name]!, b[kind][name]!)),
  );
}

function expectAgreement(oracle: OracleCase, result: CaseResult, outputs: Arrays, gradients: Arrays, variant: string): void {
  for (const [name, expected] of Object.entries(outputs))
    compare(result.outputs[name]!, expected, oracle, "forward", `${oracle.name}: ${name} (${variant})`);
  for (const name of Object.keys(result.gradients))
    compare(result.gradients[name]!, gradients[name]!, oracle, "gradient", `${oracle.name}: gradient of ${name} (${variant})`);
}

function compare(
  actual: ArrayLike<number>,
  expected: Float64Array,
  oracle: OracleCase,
  direction: "forward" | "gradient",
  label: string,
): void {
  const storage = (direction === "forward" ? oracle.storage : oracle.gradientStorage) ?? "f32";
  if (oracle.errorClass === "exact") expectClose(actual, expected, { rtol: 0, atol: 0, label });
  else if (oracle.errorClass === "gemm")
    expectSmallError(actual, expected, { limit: gemmTolerance[storage] * (direction === "gradient" ? gradientFactor : 1), label });
  else expectClose(actual, expected, { ...toleranceOf(oracle.errorClass, storage, direction), label });
}
