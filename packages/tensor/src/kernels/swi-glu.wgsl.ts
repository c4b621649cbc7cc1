import type { Capabilities } from "../device/capabilities.js";
import { always, defineKernel, read, write, type Kernel } from "./define-kernel.js";
import { computeMain, oneThreadPer } from "./lib/grid.js";
import { sigmoidFunction } from "./lib/sigmoid.js";
import { unroll } from "./lib/unroll.js";
import { floatAlias, packedBytes, type Packed } from "./lib/vector.js";
import { wgsl } from "./wgsl.js";

/** On a GPU a lane has several elements under way at once: these kernels wait for memory alone. */
const variants = [
  { name: "wide", when: ({ software }: Capabilities): boolean => !software, spec: { workgroupSize: 256, perLane: 4 } },
  { name: "plain", when: always, spec: { workgroupSize: 64, perLane: 1 } },
];

/** y[i] = gate[i] · sigmoid(gate[i]) · up[i] in f32, rounded to `dtype`.  `perLane` packed elements a lane. */
export type SwiGluSpec = { gateType: Packed; upType: Packed; dtype: Packed; workgroupSize: number; perLane: number };

export const swiGluKernel: Kernel<SwiGluSpec, "gate" | "up" | "y", "count"> = defineKernel<SwiGluSpec>()({
  name: "swiGlu",
  bindings: { gate: read("gateType"), up: read("upType"), y: write("dtype") },
  params: { count: "u32" },
  variants,
  cost: ({ count }, { gateType, upType, dtype }) => ({
    bytes: (packedBytes(gateType) + packedBytes(upType) + packedBytes(dtype)) * count,
    flops: 6 * count,
  }),
  grid: ({ count }, { workgroupSize, perLane }) => oneThreadPer(Math.ceil(count / perLane), workgroupSize),
  examples: [
    { gateType: "f32", upType: "f32", dtype: "f32" },
    { gateType: "vec4<f16>", upType: "vec4<f16>", dtype: "vec4<f16>" },
  ],
  wgsl: (spec) => wgsl`
    ${floatAlias(spec.dtype)}
    ${sigmoidFunction("Float")}

    ${computeMain(spec)} {
      ${places(spec)}
      ${unroll(spec.perLane, "let g@i = Float(gate[place@i]);\nlet u@i = Float(up[place@i]);")}
      ${unroll(spec.perLane, "if (i@i < params.count) { y[i@i] = Dtype(g@i * sigmoid(g@i) * u@i); }")}
    }`,
});

/**
 * In place: gate[i] ← dGate = dy · up · s · (1 + gate · (1 − s)),  up[i] ← dUp = dy · gate · s,  s = sigmoid(gate[i]).  `perLane` packed elements a lane.
 */
export type SwiGluBackwardSpec = { gateType: Packed; upType: Packed; dyType: Packed; workgroupSize: number; perLane: number };

export const swiGluBackwardKernel: Kernel<SwiGluBackwardSpec, "gate" | "up" | "dy", "count"> = defineKernel<SwiGluBackwardSpec>()({
  name: "swiGluBackward",
  bindings: { gate: write("gateType"), up: write("upType"), dy: read("dyType") },
  params: { count: "u32" },
  variants,
  cost: ({ count }, { gateType, upType, dyType }) => ({
    bytes: (2 * packedBytes(gateType) + 2 * packedBytes(upType) + packedBytes(dyType)) * count,
    flops: 12 * count,
  }),
  grid: ({ count }, { workgroupSize, perLane }) => oneThreadPer(Math.ceil(count / perLane), workgroupSize),
  examples: [
    { gateType: "f32", upType: "f32", dyType: "f32" },
    { gateType: "vec4<f16>", upType: "vec4<f16>", dyType: "vec4<f32>" },
    { gateType: "vec4<f16>", upType: "vec4<f16>", dyType: "vec4<f16>" },
  ],
  wgsl: (spec) => wgsl`
    ${floatAlias(spec.dyType)}
    ${sigmoidFunction("Float")}

    ${computeMain(spec)} {
      ${places(spec)}
      ${unroll(spec.perLane, "let g@i = Float(gate[place@i]);\nlet u@i = Float(up[place@i]);\nlet d@i = Float(dy[place@i]);")}
      ${unroll(
        spec.perLane,
        wgsl`
          if (i@i < params.count) {
            let s = sigmoid(g@i);
            gate[i@i] = ${spec.gateType}(d@i * u@i * s * (1.0 + g@i * sigmoid(-g@i)));
            up[i@i] = ${spec.upType}(d@i * g@i * s);
          }`,
      )}
    }`,
});

/** Where a lane writes, and where it reads: past the end that is the last element. */
function places({ perLane }: { perLane: number }): string {
  return wgsl`
    let first = foldedIndex(group, groups) * WORKGROUP_SIZE * PER_LANE + lane;
    ${unroll(perLane, "let i@i = first + @iu * WORKGROUP_SIZE;\nlet place@i = min(i@i, params.count - 1u);")}`;
}
