import { always, defineKernel, read, write, type Kernel } from "./define-kernel.js";
import { computeMain, oneThreadPer } from "./lib/grid.js";
import { wgsl } from "./wgsl.js";

/**
 * y[first + i] = the bf16 number i as f32, or as f16 rounded to nearest even; firstOverflow[slot] becomes the smallest first + i that f16 cannot hold.
 * On bits alone, so that no adapter rounds or flushes otherwise.  One thread per word of two numbers.
 */
export type Bfloat16Spec = { half: boolean; workgroupSize: number };

export const bfloat16Kernel: Kernel<Bfloat16Spec, "bits" | "y" | "firstOverflow", "count" | "first" | "slot" | "size"> =
  defineKernel<Bfloat16Spec>()({
    name: "bfloat16",
    bindings: { bits: read("u32"), y: write("u32"), firstOverflow: write("atomic<u32>") },
    params: { count: "u32", first: "u32", slot: "u32", size: "u32" },
    variants: [{ name: "plain", when: always, spec: { workgroupSize: 64 } }],
    cost: ({ count }, { half }) => ({ bytes: (half ? 8 : 12) * count, flops: 0 }),
    grid: ({ count }, { workgroupSize }) => oneThreadPer(count, workgroupSize),
    examples: [{ half: true }, { half: false }],
    wgsl: (spec) => wgsl`
    const F16_INFINITY = 0x7c00u;

    // 8 bits of exponent, biased by 127, become 5, biased by 15; 7 bits of fraction become 10.
    fn halfBits(number: u32, element: u32) -> u32 {
      let sign = number & 0x8000u;
      let exponent = (number >> 7u) & 0xffu;
      let fraction = number & 0x7fu;
      if (exponent == 255u) { return sign | F16_INFINITY | (fraction << 3u); }
      if (exponent > 142u) {
        atomicMin(&firstOverflow[params.slot], element);
        return sign | F16_INFINITY;
      }
      if (exponent > 112u) { return sign | ((exponent - 112u) << 10u) | (fraction << 3u); }
      // Below f16's normal numbers: a multiple of 2^-24.
      let significand = 128u | fraction;
      if (exponent >= 110u) { return sign | (significand << (exponent - 110u)); }
      let shift = min(110u - exponent, 31u);
      let rest = significand & ((1u << shift) - 1u);
      let tie = 1u << (shift - 1u);
      let floor = significand >> shift;
      return sign | (floor + u32(rest > tie || (rest == tie && (floor & 1u) == 1u)));
    }

    ${computeMain(spec)} {
      let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (i >= params.count) { return; }
      let pair = bits[i];
      let element = params.first + 2u * i;
      if (HALF) {
        y[element / 2u] = halfBits(pair & 0xffffu, element) | (halfBits(pair >> 16u, element + 1u) << 16u);
      } else {
        y[element] = pair << 16u;
        if (element + 1u < params.size) { y[element + 1u] = pair & 0xffff0000u; }
      }
    }`,
  });
