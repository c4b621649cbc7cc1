import { always, defineKernel, read, write, type Kernel } from "./define-kernel.js";
import { computeMain, oneThreadPer } from "./lib/grid.js";
import { wgsl } from "./wgsl.js";

const examples = [
  { numHeads: 12, headDim: 128 },
  { numHeads: 14, headDim: 64 },
];

/**
 * For f16 operands on matrix units: statistics[t] = (logSumExp[t], delta[t]) as in `attentionStatistics`, and peak = the bits of the largest |dOut|.
 * Four lanes per query and head. `outVector` is vec4<u32> for out in f16, vec4<f32> for f32.
 */
export type AttentionMatrixStatisticsSpec = {
  numHeads: number;
  headDim: number;
  outVector: "vec4<u32>" | "vec4<f32>";
  workgroupSize: number;
};

export const attentionMatrixStatisticsKernel: Kernel<
  AttentionMatrixStatisticsSpec,
  "out" | "dOut" | "logSumExp" | "statistics" | "peak",
  "numRows"
> = defineKernel<AttentionMatrixStatisticsSpec>()({
  name: "attentionMatrixStatistics",
  bindings: {
    out: read("outVector"),
    dOut: read("vec4<f32>"),
    logSumExp: read("f32"),
    statistics: write("vec2<f32>"),
    peak: write("atomic<u32>"),
  },
  params: { numRows: "u32" },
  variants: [{ name: "subgroup", when: ({ subgroups }) => subgroups, spec: { workgroupSize: 256 } }],
  grid: ({ numRows }, { workgroupSize }) => oneThreadPer(4 * numRows, workgroupSize),
  enables: () => ["enable subgroups;"],
  examples: examples.map((example) => ({ ...example, outVector: "vec4<u32>" })),
  wgsl: (spec) => wgsl`
      fn outPair(i: u32) -> array<vec4<f32>, 2> {
        ${spec.outVector === "vec4<u32>" ? unpackEight : "return array<vec4<f32>, 2>(out[2u * i], out[2u * i + 1u]);"}
      }

      ${computeMain(spec)} {
        let thread = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
        let row = min(thread / 4u, params.numRows - 1u);
        var partial = 0.0;
        var largest = 0.0;
        for (var i = row * HEAD_DIM / 8u + thread % 4u; i < (row + 1u) * HEAD_DIM / 8u; i += 4u) {
          let eight = outPair(i);
          let low = dOut[2u * i];
          let high = dOut[2u * i + 1u];
          partial += dot(eight[0], low) + dot(eight[1], high);
          let larger = max(abs(low), abs(high));
          largest = max(largest, max(max(larger.x, larger.y), max(larger.z, larger.w)));
        }
        let pair = partial + subgroupShuffleXor(partial, 1u);
        let delta = pair + subgroupShuffleXor(pair, 2u);
        let subgroupLargest = subgroupMax(largest);
        if (subgroupElect()) { atomicMax(&peak[0], bitcast<u32>(subgroupLargest)); } // bits of floats above 0 are ordered as the floats are
        if (thread < 4u * params.numRows && thread % 4u == 0u) { statistics[row] = vec2<f32>(logSumExp[row], delta); }
      }`,
});

const unpackEight = wgsl`
  let packed = out[i];
  return array<vec4<f32>, 2>(
    vec4<f32>(unpack2x16float(packed.x), unpack2x16float(packed.y)),
    vec4<f32>(unpack2x16float(packed.z), unpack2x16float(packed.w)),
  );`;

/**
 * half[i] = dOut[i] · gradientScale rounded to f16, where gradientScale is the power of two that brings the largest |dOut| into 1 … 2: gradients
 * may be too small for f16. Leaves (gradientScale, 0) in the last row of statistics.  Eight elements a thread.
 */
export type AttentionMatrixGradientSpec = { workgroupSize: number };

export const attentionMatrixGradientKernel: Kernel<
  AttentionMatrixGradientSpec,
  "dOut" | "peak" | "half" | "statistics",
  "size" | "numRows"
> = defineKernel<AttentionMatrixGradientSpec>()({
  name: "attentionMatrixGradient",
  bindings: { dOut: read("vec4<f32>"), peak: read("u32"), half: write("vec4<u32>"), statistics: write("vec2<f32>") },
  params: { size: "u32", numRows: "u32" },
  variants: [{ name: "plain", when: always, spec: { workgroupSize: 256 } }],
  cost: ({ size }) => ({ bytes: 6 * size, flops: size }),
  grid: ({ size }, { workgroupSize }) => oneThreadPer(size / 8, workgroupSize),
  examples: [{}],
  wgsl: (spec) => wgsl`
      ${computeMain(spec)} {
        let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
        if (i >= params.size / 8u) { return; }
        let exponent = peak[0] >> 23u; // 2^(exponent − 127) ≤ peak; 0 for 0, 255 for NaN, which stays one
        let gradientScale = select(1.0, bitcast<f32>((254u - exponent) << 23u), exponent > 0u && exponent < 254u);
        let low = gradientScale * dOut[2u * i];
        let high = gradientScale * dOut[2u * i + 1u];
        half[i] = vec4<u32>(pack2x16float(low.xy), pack2x16float(low.zw), pack2x16float(high.xy), pack2x16float(high.zw));
        if (i == 0u) { statistics[params.numRows] = vec2<f32>(gradientScale, 0.0); }
      }`,
});
