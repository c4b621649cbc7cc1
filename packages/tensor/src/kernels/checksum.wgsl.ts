import { always, defineKernel, read, write, type Kernel } from "./define-kernel.js";
import { computeMain, oneThreadPer } from "./lib/grid.js";
import { wgsl } from "./wgsl.js";

/** Lanes that share the words of a tensor, each with two sums of its own. */
export const checksumLanes = 16_384;

/**
 * Lane l goes on with sums (a, b) = state[l] over the words l, l + lanes, … of x, the last under a mask: a ← h₁₅((a ⊕ word) · 9E3779B1), b ← h₁₃((b + word + 1) · 85EBCA77) with
 * h_k(v) = v ⊕ (v >> k). Each step can be undone, so that two x that differ in one word never have the same sums.  One thread a lane.
 */
export type ChecksumSpec = { workgroupSize: number; lanes: number };

export const checksumKernel: Kernel<ChecksumSpec, "x" | "state", "numWords" | "lastMask"> = defineKernel<ChecksumSpec>()({
  name: "checksum",
  bindings: { x: read("u32"), state: write("vec2<u32>") },
  params: { numWords: "u32", lastMask: "u32" },
  variants: [{ name: "plain", when: always, spec: { workgroupSize: 64, lanes: checksumLanes } }],
  cost: ({ numWords }) => ({ bytes: 4 * numWords, flops: 0 }),
  grid: (_params, { workgroupSize, lanes }) => oneThreadPer(lanes, workgroupSize),
  examples: [{}],
  wgsl: (spec) => wgsl`
    ${computeMain(spec)} {
      let place = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (place >= LANES) { return; }
      var sums = state[place];
      for (var i = place; i < params.numWords; i += LANES) {
        let word = x[i] & select(0xffffffffu, params.lastMask, i + 1u == params.numWords);
        sums.x = (sums.x ^ word) * 0x9e3779b1u;
        sums.x ^= sums.x >> 15u;
        sums.y = (sums.y + word + 1u) * 0x85ebca77u;
        sums.y ^= sums.y >> 13u;
      }
      state[place] = sums;
    }`,
});
