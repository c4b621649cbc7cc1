import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { KernelError } from "../errors.js";
import { full, requestDevice, type Capabilities, type Device } from "../index.js";
import { defineKernel, kernelRegistry, read, write } from "./define-kernel.js";
import { rmsNormKernel } from "./rms-norm.wgsl.js";

let device: Device;
beforeAll(async () => {
  device = await requestDevice({ nullBackend: true });
});
afterAll(() => device?.dispose());

const spec = { xType: "f32", dtype: "f16" } as const;
const pretend = (capabilities: Partial<Capabilities>): Capabilities => ({
  ...device.capabilities,
  software: false,
  subgroups: false,
  ...capabilities,
});

describe("a kernel", () => {
  it("takes the first variant that fits", () => {
    const chosen = (capabilities: Partial<Capabilities>): string => rmsNormKernel.choose(pretend(capabilities), spec).variant.name;
    expect([chosen({}), chosen({ subgroups: true }), chosen({ subgroups: true, software: true })]).toEqual([
      "plain",
      "subgroup",
      "rowPerLane",
    ]);
    expect(rmsNormKernel.choose(pretend({ subgroups: true }), spec, "plain").variant.name).toBe("plain");
  });

  it("names its variants when there is none to take", () => {
    expect(() => rmsNormKernel.choose(pretend({}), spec, "fast")).toThrow(KernelError);
    expect(() => rmsNormKernel.choose(pretend({}), spec, "fast")).toThrow(
      /^rmsNorm: no variant fits spec .*\(asked for "fast"\); there are rowPerLane, subgroup, plain$/,
    );
  });

  it("writes the declarations of its WGSL from bindings, parameters and spec", () => {
    const { variant, spec: full } = rmsNormKernel.choose(pretend({ subgroups: true }), spec);
    const { wgsl, label, bindings, paramsBytes } = rmsNormKernel.source(variant, full);
    expect(label).toBe("rmsNorm subgroup workgroupSize=256 rowPerLane=false subgroup f32 f16");
    expect(bindings).toEqual(["read-only-storage", "read-only-storage", "storage", "storage"]);
    expect(paramsBytes).toBe(16);
    expect(wgsl.split("\n").slice(0, 12)).toEqual([
      "enable f16;",
      "enable subgroups;",
      "struct Params {",
      "  numRows: u32,",
      "  rowSize: u32,",
      "  eps: f32,",
      "}",
      "@group(0) @binding(0) var<uniform> params: Params;",
      "@group(0) @binding(1) var<storage, read> x: array<f32>;",
      "@group(0) @binding(2) var<storage, read> weight: array<f32>;",
      "@group(0) @binding(3) var<storage, read_write> y: array<f16>;",
      "@group(0) @binding(4) var<storage, read_write> rstd: array<f32>;",
    ]);
  });

  it("that does not compile is named with its variant, its spec and the line", async () => {
    const broken = defineKernel<{ workgroupSize: number }>()({
      name: "broken",
      bindings: { x: read("f32"), y: write("f32") },
      params: {},
      variants: [{ name: "plain", when: () => true, spec: { workgroupSize: 64 } }],
      grid: () => [1, 1, 1],
      examples: [{}],
      wgsl: () => "@compute @workgroup_size(64)\nfn main() { y[0] = x[0] + 1u; }",
    });
    kernelRegistry.delete("broken");
    using own = await requestDevice({ nullBackend: true });
    broken.run(own, { x: full(own, [1], 0, "f32"), y: full(own, [1], 0, "f32") }, {}, {});
    const failure = await own.sync().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(KernelError);
    expect(String(failure)).toMatch(
      /^KernelError: compile: broken plain workgroupSize=64: error in line \d+: no matching overload.*: fn main\(\) \{ y\[0\] = x\[0\] \+ 1u; \}$/s,
    );
  });
});
