import { always, defineKernel, read, write, type Kernel } from "./define-kernel.js";
import { computeMain, oneGroupPer } from "./lib/grid.js";
import { reduceEnables, reduceMax, type Reduce } from "./lib/reduce.js";
import { wgsl } from "./wgsl.js";

export type SkinnySumSpec = {
  /** c is [n, m]. */
  transposed: boolean;
  /** Adds to what c holds. */
  accumulate: boolean;
  /** Also the largest magnitude that each workgroup wrote. */
  hasPeaks: boolean;
  reduce: Reduce;
  workgroupSize: number;
};

const groupSize = 256;

/** Elements of c that a lane has, one after another along n. */
const perLane = 4;

/**
 * c(m, n) = alpha · sum over s of parts[s, m, partsFirst + n] [+ c], in the order of the parts; peaks[firstPeak + g] = the largest |c| of workgroup g. Rows of parts are `partsPitch` long, those of
 * c, from `cFirst` on, `cPitch`; with `transposed` c is [n, m].
 */
export const skinnySumKernel: Kernel<
  SkinnySumSpec,
  "parts" | "c" | "peaks",
  "m" | "n" | "splits" | "alpha" | "partsPitch" | "partsFirst" | "cPitch" | "cFirst" | "firstPeak"
> = defineKernel<SkinnySumSpec>()({
  name: "skinnySum",
  bindings: { parts: read("vec4<f32>"), c: write("f32"), peaks: write("f32") },
  params: {
    m: "u32",
    n: "u32",
    splits: "u32",
    alpha: "f32",
    partsPitch: "u32",
    partsFirst: "u32",
    cPitch: "u32",
    cFirst: "u32",
    firstPeak: "u32",
  },
  unused: ({ hasPeaks }) => (hasPeaks ? [] : ["peaks"]),
  variants: [
    { name: "subgroup", when: ({ subgroups }) => subgroups, spec: { reduce: "subgroup", workgroupSize: groupSize } },
    { name: "plain", when: always, spec: { reduce: "plain", workgroupSize: groupSize } },
  ],
  cost: ({ m, n, splits }) => ({ bytes: 4 * (splits + 1) * m * n, flops: splits * m * n }),
  grid: ({ m, n }) => oneGroupPer(numPeaks(m, n)),
  enables: reduceEnables,
  examples: [
    { transposed: false, accumulate: false, hasPeaks: true },
    { transposed: true, accumulate: true, hasPeaks: false },
  ],
  wgsl: (spec) => wgsl`
    ${spec.hasPeaks ? reduceMax(spec) : ""}

    ${computeMain(spec)} {
      let index = foldedIndex(group, groups);
      let i = index * WORKGROUP_SIZE + lane;
      let quads = params.n / ${perLane}u;
      let row = ${spec.transposed ? "i % params.m" : "i / quads"};
      let quad = ${spec.transposed ? "i / params.m" : "i % quads"};
      var total = vec4<f32>();
      if (i < params.m * quads) {
        for (var split = 0u; split < params.splits; split++) { total += parts[((split * params.m + row) * params.partsPitch + params.partsFirst) / 4u + quad]; }
        total *= params.alpha;
        for (var j = 0u; j < ${perLane}u; j++) {
          let place = ${spec.transposed ? `(${perLane}u * quad + j) * params.m + row` : `row * params.cPitch + params.cFirst + ${perLane}u * quad + j`};
          c[place] = ${spec.accumulate ? "c[place] + " : ""}total[j];
        }
      }
      ${
        spec.hasPeaks
          ? wgsl`
              let sizes = abs(total);
              let peak = reduceMax(max(max(sizes.x, sizes.y), max(sizes.z, sizes.w)), lane);
              if (lane == 0u && index * WORKGROUP_SIZE < params.m * quads) { peaks[params.firstPeak + index] = peak; }`
          : ""
      }
    }`,
});

/** Workgroups that write c, and so peaks. */
export function numPeaks(m: number, n: number): number {
  return Math.ceil((m * n) / perLane / groupSize);
}
