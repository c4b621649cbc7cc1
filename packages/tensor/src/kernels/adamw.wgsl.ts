import { always, defineKernel, read, write, type Kernel } from "./define-kernel.js";
import { computeMain, oneThreadPer } from "./lib/grid.js";
import { wgsl } from "./wgsl.js";

/**
 * One AdamW step of torch, in place:  g = clip · grads;  p ← p · (1 − lr · weightDecay);  m ← m + (1 − beta1) · (g − m);
 * v ← beta2 · v + (1 − beta2) · g²;  p ← p − stepSize · m / (√v / √(1 − beta2ᵗ) + eps),  stepSize = lr / (1 − beta1ᵗ).
 * A negative clip factor leaves everything as it is.  One thread per element.
 */
export type AdamwSpec = { hasClip: boolean; workgroupSize: number };

export const adamwKernel: Kernel<AdamwSpec, "weights" | "grads" | "m" | "v" | "hyper" | "clip", "size"> = defineKernel<AdamwSpec>()({
  name: "adamw",
  bindings: { weights: write("f32"), grads: read("f32"), m: write("f32"), v: write("f32"), hyper: read("f32"), clip: read("f32") },
  params: { size: "u32" },
  variants: [{ name: "plain", when: always, spec: { workgroupSize: 64 } }],
  cost: ({ size }) => ({ bytes: 28 * size, flops: 14 * size }),
  grid: ({ size }, { workgroupSize }) => oneThreadPer(size, workgroupSize),
  examples: [{ hasClip: true }, { hasClip: false }],
  wgsl: (spec) => wgsl`
    ${computeMain(spec)} {
      let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      let factor = ${spec.hasClip ? "clip[0]" : "1.0"};
      if (i >= params.size || factor < 0.0) { return; }
      let oneMinusDecay = hyper[0];
      let stepSize = hyper[1];
      let oneMinusBeta1 = hyper[2];
      let beta2 = hyper[3];
      let oneMinusBeta2 = hyper[4];
      let rootBiasCorrection2 = hyper[5];
      let eps = hyper[6];
      let g = factor * grads[i];
      let newM = m[i] + oneMinusBeta1 * (g - m[i]);
      let newV = beta2 * v[i] + oneMinusBeta2 * g * g;
      m[i] = newM;
      v[i] = newV;
      weights[i] = oneMinusDecay * weights[i] - stepSize * newM / (sqrt(newV) / rootBiasCorrection2 + eps);
    }`,
});
