import { always, computeMain, defineKernel, oneThreadPer, read, wgsl, write } from "@kto/tensor";

interface LogCoshSpec {
  workgroupSize: number;
  [field: string]: number;
}

/** y[i] = log cosh x[i] = |x[i]| + log(1 + e^(−2|x[i]|)) − log 2, which overflows for no x.  One thread per element. */
export const logCoshKernel = defineKernel<LogCoshSpec>()({
  name: "logCosh",
  bindings: { x: read("f32"), y: write("f32") },
  params: { size: "u32" },
  variants: [{ name: "plain", when: always, spec: { workgroupSize: 64 } }],
  cost: ({ size }) => ({ bytes: 8 * size, flops: 5 * size }),
  grid: ({ size }, { workgroupSize }) => oneThreadPer(size, workgroupSize), // folds into two dimensions past 65,535 groups
  examples: [{}],
  wgsl: (spec) => wgsl`
    ${computeMain(spec)} {
      let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (i >= params.size) { return; }
      let distance = abs(x[i]);
      y[i] = distance + log(1.0 + exp(-2.0 * distance)) - ${Math.LN2};
    }`,
});

/** dx[i] = dy[i] · tanh x[i].  One thread per element. */
export const logCoshBackwardKernel = defineKernel<LogCoshSpec>()({
  name: "logCoshBackward",
  bindings: { x: read("f32"), dy: read("f32"), dx: write("f32") },
  params: { size: "u32" },
  variants: [{ name: "plain", when: always, spec: { workgroupSize: 64 } }],
  cost: ({ size }) => ({ bytes: 12 * size, flops: 2 * size }),
  grid: ({ size }, { workgroupSize }) => oneThreadPer(size, workgroupSize),
  examples: [{}],
  wgsl: (spec) => wgsl`
    ${computeMain(spec)} {
      let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (i >= params.size) { return; }
      dx[i] = dy[i] * tanh(clamp(x[i], -15.0, 15.0)); // ±1 there; some drivers overflow within tanh
    }`,
});
