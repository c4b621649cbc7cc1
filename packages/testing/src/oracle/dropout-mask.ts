import { dropoutMask as dropoutMaskOp, type DropoutMaskOptions } from "@kto/tensor";
import { Numbers, type OracleCase } from "../check/case.js";

/** 0 where a hash of (seed, stream, first + i) is below probability · 2³², else 1 / (1 − probability). */
export function dropoutMask(size: number, { probability, seed, stream, first = 0 }: DropoutMaskOptions): Float64Array {
  const key = mix(stream ^ mix(seed));
  return Float64Array.from({ length: size }, (_, i) =>
    mix((first + i) ^ key) < Math.floor(probability * 2 ** 32) ? 0 : Math.fround(1 / (1 - probability)),
  );
}

function mix(value: number): number {
  let h = value >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d) >>> 0;
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b) >>> 0;
  return (h ^ (h >>> 16)) >>> 0;
}

function dropoutMaskCase(size: number, probability: number, first = 0): OracleCase {
  const options = { probability, seed: 42, stream: 7, first };
  return {
    name: `dropoutMask ${size} from ${first}, probability ${probability}`,
    inputs: { anywhere: new Numbers(1).input([1], { needsGradient: false }) },
    forward: () => ({ mask: dropoutMask(size, options) }),
    run: ({ anywhere }) => ({ mask: dropoutMaskOp(anywhere!.device, [size], options) }),
    errorClass: "exact",
  };
}

export const dropoutMaskCases: OracleCase[] = [
  dropoutMaskCase(1, 0.5),
  dropoutMaskCase(1000, 0.1),
  dropoutMaskCase(65, 0),
  dropoutMaskCase(300, 0.5, 100),
];
