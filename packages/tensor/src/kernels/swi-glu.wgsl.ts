import { byteSize, type FloatDtype } from "../dtype.js";
import { always, defineKernel, read, write, type Kernel } from "./define-kernel.js";
import { computeMain, oneThreadPer } from "./lib/grid.js";
import { wgsl } from "./wgsl.js";

const variants = [{ name: "plain", when: always, spec: { workgroupSize: 64 } }];

/** 1 / (1 + e^(−x)) with an exponential that cannot overflow. */
const sigmoid = wgsl`
  fn sigmoid(x: f32) -> f32 {
    let e = exp(-abs(x));
    return select(e, 1.0, x >= 0.0) / (1.0 + e);
  }`;

/** y[i] = gate[i] · sigmoid(gate[i]) · up[i] in f32, rounded to `dtype`.  One thread per element. */
export type SwiGluSpec = { gateType: FloatDtype; upType: FloatDtype; dtype: FloatDtype; workgroupSize: number };

export const swiGluKernel: Kernel<SwiGluSpec, "gate" | "up" | "y", "size"> = defineKernel<SwiGluSpec>()({
  name: "swiGlu",
  bindings: { gate: read("gateType"), up: read("upType"), y: write("dtype") },
  params: { size: "u32" },
  variants,
  cost: ({ size }, { gateType, upType, dtype }) => ({ bytes: (byteSize(gateType) + byteSize(upType) + byteSize(dtype)) * size, flops: 6 * size }),
  grid: ({ size }, { workgroupSize }) => oneThreadPer(size, workgroupSize),
  examples: [
    { gateType: "f32", upType: "f32", dtype: "f32" },
    { gateType: "f16", upType: "f16", dtype: "f16" },
  ],
  wgsl: (spec) => wgsl`
    ${sigmoid}

    ${computeMain(spec)} {
      let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (i >= params.size) { return; }
      let g = f32(gate[i]);
      y[i] = Dtype(g * sigmoid(g) * f32(up[i]));
    }`,
});

/** dGate[i] = dy · up · s · (1 + gate · (1 − s)),  dUp[i] = dy · gate · s,  s = sigmoid(gate[i]).  One thread per element. */
export type SwiGluBackwardSpec = { gateType: FloatDtype; upType: FloatDtype; workgroupSize: number };

export const swiGluBackwardKernel: Kernel<SwiGluBackwardSpec, "gate" | "up" | "dy" | "dGate" | "dUp", "size"> = defineKernel<SwiGluBackwardSpec>()({
  name: "swiGluBackward",
  bindings: { gate: read("gateType"), up: read("upType"), dy: read("f32"), dGate: write("f32"), dUp: write("f32") },
  params: { size: "u32" },
  variants,
  cost: ({ size }, { gateType, upType }) => ({ bytes: (byteSize(gateType) + byteSize(upType) + 12) * size, flops: 12 * size }),
  grid: ({ size }, { workgroupSize }) => oneThreadPer(size, workgroupSize),
  examples: [
    { gateType: "f32", upType: "f32" },
    { gateType: "f16", upType: "f16" },
  ],
  wgsl: (spec) => wgsl`
    ${sigmoid}

    ${computeMain(spec)} {
      let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (i >= params.size) { return; }
      let g = f32(gate[i]);
      let s = sigmoid(g);
      dGate[i] = dy[i] * f32(up[i]) * s * (1.0 + g * sigmoid(-g));
      dUp[i] = dy[i] * g * s;
    }`,
});
