import { always, defineKernel, read, write, type Kernel } from "./define-kernel.js";
import { computeMain, oneThreadPer } from "./lib/grid.js";
import { sigmoidFunction } from "./lib/sigmoid.js";
import { floatAlias, packedBytes, type Packed } from "./lib/vector.js";
import { wgsl } from "./wgsl.js";

const variants = [{ name: "plain", when: always, spec: { workgroupSize: 64 } }];

/** y[i] = gate[i] · sigmoid(gate[i]) · up[i] in f32, rounded to `dtype`.  One thread per packed element. */
export type SwiGluSpec = { gateType: Packed; upType: Packed; dtype: Packed; workgroupSize: number };

export const swiGluKernel: Kernel<SwiGluSpec, "gate" | "up" | "y", "count"> = defineKernel<SwiGluSpec>()({
  name: "swiGlu",
  bindings: { gate: read("gateType"), up: read("upType"), y: write("dtype") },
  params: { count: "u32" },
  variants,
  cost: ({ count }, { gateType, upType, dtype }) => ({
    bytes: (packedBytes(gateType) + packedBytes(upType) + packedBytes(dtype)) * count,
    flops: 6 * count,
  }),
  grid: ({ count }, { workgroupSize }) => oneThreadPer(count, workgroupSize),
  examples: [
    { gateType: "f32", upType: "f32", dtype: "f32" },
    { gateType: "vec4<f16>", upType: "vec4<f16>", dtype: "vec4<f16>" },
  ],
  wgsl: (spec) => wgsl`
    ${floatAlias(spec.dtype)}
    ${sigmoidFunction("Float")}

    ${computeMain(spec)} {
      let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (i >= params.count) { return; }
      let g = Float(gate[i]);
      y[i] = Dtype(g * sigmoid(g) * Float(up[i]));
    }`,
});

/**
 * In place: gate[i] ← dGate = dy · up · s · (1 + gate · (1 − s)),  up[i] ← dUp = dy · gate · s,  s = sigmoid(gate[i]).  One thread per packed element.
 */
export type SwiGluBackwardSpec = { gateType: Packed; upType: Packed; floatType: Packed; workgroupSize: number };

export const swiGluBackwardKernel: Kernel<SwiGluBackwardSpec, "gate" | "up" | "dy", "count"> = defineKernel<SwiGluBackwardSpec>()({
  name: "swiGluBackward",
  bindings: { gate: write("gateType"), up: write("upType"), dy: read("floatType") },
  params: { count: "u32" },
  variants,
  cost: ({ count }, { gateType, upType, floatType }) => ({
    bytes: (2 * packedBytes(gateType) + 2 * packedBytes(upType) + packedBytes(floatType)) * count,
    flops: 12 * count,
  }),
  grid: ({ count }, { workgroupSize }) => oneThreadPer(count, workgroupSize),
  examples: [
    { gateType: "f32", upType: "f32", floatType: "f32" },
    { gateType: "vec4<f16>", upType: "vec4<f16>", floatType: "vec4<f32>" },
  ],
  wgsl: (spec) => wgsl`
    ${floatAlias(spec.floatType)}
    ${sigmoidFunction("Float")}

    ${computeMain(spec)} {
      let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (i >= params.count) { return; }
      let g = Float(gate[i]);
      let s = sigmoid(g);
      let u = Float(up[i]);
      gate[i] = ${spec.gateType}(dy[i] * u * s * (1.0 + g * sigmoid(-g)));
      up[i] = ${spec.upType}(dy[i] * g * s);
    }`,
});
