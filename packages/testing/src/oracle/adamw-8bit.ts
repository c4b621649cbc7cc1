import {
  adamw8bitHyper,
  adamw8bitMaps,
  adamw8bitStep,
  adamwBlockStep,
  adamwHyperSize,
  dynamicMap,
  dynamicMapMidpoints,
  nearestCode,
  type AdamwHyperparameters,
} from "@kto/tensor";
import { Numbers, type OracleCase } from "../check/case.js";

const f32 = Math.fround;
const [signed, unsigned] = [dynamicMap("signed"), dynamicMap("unsigned")];
const [signedMidpoints, unsignedMidpoints] = [dynamicMapMidpoints(signed), dynamicMapMidpoints(unsigned)];

/** Moments of one tensor in 8 bits: a code an element, a scale a block of 256. */
export interface Moments8bit {
  codes1: Uint8Array<ArrayBuffer>;
  codes2: Uint8Array<ArrayBuffer>;
  absmax1: Float32Array<ArrayBuffer>;
  absmax2: Float32Array<ArrayBuffer>;
}

/** State of a tensor of `size` elements before the first step. */
export function freshMoments8bit(size: number): Moments8bit {
  const numBlocks = Math.ceil(size / 256);
  return {
    codes1: new Uint8Array(size),
    codes2: new Uint8Array(size),
    absmax1: new Float32Array(numBlocks),
    absmax2: new Float32Array(numBlocks),
  };
}

/** Parameter and moments of one element after a step, every operation rounded to f32; `hyper` as `adamw8bitHyper` gives it. */
function stepOne(p: number, g: number, m: number, v: number, hyper: Float32Array): { p: number; m: number; v: number } {
  const [beta1, oneMinusBeta1, beta2, oneMinusBeta2, stepSize, eps, oneMinusDecay] = hyper as unknown as [number, ...number[]];
  if (!Number.isFinite(g)) return { p, m: 0, v: 0 };
  const newM = f32(f32(m * beta1) + f32(oneMinusBeta1! * g));
  const newV = f32(f32(v * beta2!) + f32(f32(oneMinusBeta2! * g) * g));
  const change = f32(f32(stepSize! * newM) / f32(f32(Math.sqrt(newV)) + eps!));
  return { p: f32(f32(p + change) * oneMinusDecay!), m: newM, v: newV };
}

/** One step of bitsandbytes' AdamW8bit in place, to the bit as its definition with IEEE 754 operations. */
export function adamw8bit(
  params: Float32Array,
  grads: Float32Array,
  { codes1, codes2, absmax1, absmax2 }: Moments8bit,
  hyper: Float32Array,
  clip = 1,
): void {
  if (clip < 0) return;
  for (let block = 0; block < absmax1.length; block++) {
    const start = 256 * block;
    const after = Array.from(params.subarray(start, start + 256), (p, i) => {
      const m = f32(signed[codes1[start + i]!]! * absmax1[block]!);
      const v = f32(unsigned[codes2[start + i]!]! * absmax2[block]!);
      return stepOne(p, f32(clip * grads[start + i]!), m, v, hyper);
    });
    absmax1[block] = Math.max(...after.map(({ m }) => Math.abs(m)));
    absmax2[block] = Math.max(...after.map(({ v }) => v));
    after.forEach(({ p, m, v }, i) => {
      params[start + i] = p;
      codes1[start + i] = firstCode(m, f32(m / absmax1[block]!));
      codes2[start + i] = nearestCode(unsignedMidpoints, f32(v / absmax2[block]!));
    });
  }
}

/** The nearest code, moved by one towards the sign of m if its entry has the other sign. */
function firstCode(m: number, ratio: number): number {
  const code = nearestCode(signedMidpoints, ratio);
  if (isNegative(signed[code]!) === isNegative(m)) return code;
  return (code + (m > 0 ? 1 : 255)) % 256;
}

function isNegative(value: number): boolean {
  return value < 0 || Object.is(value, -0);
}

/** The same step on f32 moments, as for tensors below 4,096 elements. */
export function adamwF32State(
  params: Float32Array,
  grads: Float32Array,
  moments: { m: Float32Array; v: Float32Array },
  hyper: Float32Array,
  clip = 1,
): void {
  if (clip < 0) return;
  for (let i = 0; i < params.length; i++) {
    const { p, m, v } = stepOne(params[i]!, f32(clip * grads[i]!), moments.m[i]!, moments.v[i]!, hyper);
    [params[i], moments.m[i], moments.v[i]] = [p, m, v];
  }
}

/** Two steps with one gradient on a tensor that lies in one bucket with a gap after it; the second step reads the codes of the first. */
function stepsCase(state: "8bit" | "f32", size: number, given: Partial<AdamwHyperparameters>, clip: number | undefined): OracleCase {
  const numbers = new Numbers(size + 3);
  const flatSize = Math.ceil(size / 64) * 64;
  const numBlocks = Math.ceil(size / 256);
  const all = { learningRate: 0.01, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.01, step: 1, ...given };
  const hypers = [all, { ...all, step: all.step + 1 }].map(adamw8bitHyper);
  const padded = (scale: number): ReturnType<Numbers["input"]> => {
    const input = numbers.input([flatSize], { scale, needsGradient: false });
    return { ...input, data: input.data.map((value, i) => (i < size ? value : 0)) };
  };
  return {
    name: `adamw with ${state} state, ${size}, step ${all.step}, clip ${clip}`,
    inputs: { params: padded(1), grads: padded(0.1) },
    forward(inputs) {
      const params = Float32Array.from(inputs["params"]!);
      const grads = Float32Array.from(inputs["grads"]!).subarray(0, size);
      const moments8bit = freshMoments8bit(size);
      const moments = { m: new Float32Array(size), v: new Float32Array(size) };
      for (const hyper of hypers) {
        if (state === "8bit") adamw8bit(params.subarray(0, size), grads, moments8bit, hyper, clip);
        else adamwF32State(params.subarray(0, size), grads, moments, hyper, clip);
      }
      const { absmax1, absmax2 } = moments8bit;
      return { params: Float64Array.from(params), ...(state === "8bit" ? { absmax: Float64Array.of(...absmax1, ...absmax2) } : {}) };
    },
    run({ params: before, grads }) {
      const { device } = before!;
      const params = device.copyOf(before!);
      const bounds = Array.from({ length: numBlocks }, (_, block) => [256 * block, Math.min(256, size - 256 * block)]);
      const blocks = device.tensor(bounds.flat(), [numBlocks, 2], "u32");
      const shared = { params, grads: grads!, blocks, clip: clip === undefined ? undefined : device.tensor([clip], [1], "f32") };
      const codes = device.zeros([2, numBlocks, 64], "u32");
      const absmax = device.zeros([2, numBlocks], "f32");
      const moments = device.zeros([2, numBlocks, 256], "f32");
      const maps = adamw8bitMaps(device);
      for (const numbersOfStep of hypers) {
        const hyper = device.tensor(numbersOfStep, [adamwHyperSize], "f32");
        if (state === "8bit") adamw8bitStep({ ...shared, hyper, codes, absmax, maps });
        else adamwBlockStep({ ...shared, hyper, moments });
      }
      return { params, ...(state === "8bit" ? { absmax } : {}) };
    },
    errorClass: "elementwise",
  };
}

export const adamw8bitCases: OracleCase[] = [
  stepsCase("8bit", 1000, {}, undefined),
  stepsCase("8bit", 65, { step: 1000, weightDecay: 0 }, 0.37),
  stepsCase("8bit", 256, {}, -1), // a norm that is not finite: nothing changes
  stepsCase("f32", 300, { learningRate: 5e-6 }, 0.37),
  stepsCase("f32", 7, { step: 100 }, undefined),
  stepsCase("f32", 64, {}, -1),
];
