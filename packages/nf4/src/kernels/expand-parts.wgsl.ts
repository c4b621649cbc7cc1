import { always, computeMain, defineKernel, oneGroupPer, read, times, wgsl, write, type Kernel } from "@kto/tensor";
import { codesFunctions, codesParameters, loadCodeTables, pairOfCodes, type CodesSpec } from "./lib/few-rows.js";

/**
 * Up to three four-bit matrices in full, one after another: w[i] = f16 of code · scale rounded to the weight's dtype, for a product with more than a few rows.
 * A lane has words of eight codes and writes 16 bytes at a time.
 */
export type ExpandPartsSpec = CodesSpec & { workgroupSize: number; wordsPerLane: number };

export const expandPartsKernel: Kernel<ExpandPartsSpec, "weight" | "w", keyof typeof codesParameters | "words" | "end0" | "end1"> =
  defineKernel<ExpandPartsSpec>()({
    name: "expandParts",
    bindings: { weight: read("weightElement"), w: write("vec4<u32>") },
    params: { ...codesParameters, words: "u32", end0: "u32", end1: "u32" },
    variants: [{ name: "plain", when: always, spec: { workgroupSize: 256, wordsPerLane: 4 } }],
    cost: ({ words }) => ({ bytes: 20 * words, flops: 8 * words }),
    grid: ({ words }, { workgroupSize, wordsPerLane }) => oneGroupPer(Math.ceil(words / (workgroupSize * wordsPerLane))),
    examples: [
      { weightElement: "u32", weightType: "bfloat16", nested: true },
      { weightElement: "u32", weightType: "float16", nested: false },
    ],
    wgsl: (spec) => wgsl`
    fn chosen(part: u32, first: u32, second: u32, third: u32) -> u32 { return select(select(first, second, part == 1u), third, part == 2u); }
    ${codesFunctions(spec)}

    ${computeMain(spec)} {
      ${loadCodeTables}
      let first = foldedIndex(group, groups) * WORKGROUP_SIZE * WORDS_PER_LANE + lane;
      ${times(
        spec.wordsPerLane,
        (j) => wgsl`
          {
            let i = min(first + ${j}u * WORKGROUP_SIZE, params.words - 1u); // lanes past the end write the last word again
            let part = u32(i >= params.end0) + u32(i >= params.end1);
            let place = i - chosen(part, 0u, params.end0, params.end1);
            let packed = weight[chosen(part, params.codes0, params.codes1, params.codes2) + place];
            let scale = scaleOf(part, rawScaleOf(part, (8u * place) >> params.blockShift));
            w[i] = vec4<u32>(${[0, 2, 4, 6].map((pair) => pairOfCodes("packed", "scale", pair)).join(", ")});
          }`,
      )}
    }`,
  });
