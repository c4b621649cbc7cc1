import {
  adamwHyper,
  adamwHyperSize,
  adamwStep,
  clipFactor as clipFactorOp,
  gradNorm as gradNormOp,
  type AdamwHyperparameters,
} from "@kto/tensor";
import { Numbers, type Arrays, type OracleCase, type OpInput } from "../check/case.js";

/** torch's AdamW: decay first, eps after the bias correction. */
export function adamw(
  { params, grads, m, v }: Arrays,
  { learningRate, beta1, beta2, eps, weightDecay, step }: AdamwHyperparameters,
  clip: number,
): Arrays {
  const newM = m!.map((value, i) => beta1 * value + (1 - beta1) * clip * grads![i]!);
  const newV = v!.map((value, i) => beta2 * value + (1 - beta2) * (clip * grads![i]!) ** 2);
  const newParams = params!.map((value, i) => {
    const denominator = Math.sqrt(newV[i]!) / Math.sqrt(1 - beta2 ** step) + eps;
    return value * (1 - learningRate * weightDecay) - ((learningRate / (1 - beta1 ** step)) * newM[i]!) / denominator;
  });
  return { params: newParams, m: newM, v: newV };
}

function adamwCase(size: number, hyper: Partial<AdamwHyperparameters>, clip: number | undefined): OracleCase {
  const numbers = new Numbers(size);
  const all: AdamwHyperparameters = { learningRate: 0.01, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.01, step: 1, ...hyper };
  const state = (scale: number): OpInput => numbers.input([size], { needsGradient: false, scale });
  const v = state(1e-3);
  return {
    name: `adamw ${size}, step ${all.step}, clip ${clip}`,
    inputs: { params: state(1), grads: state(0.1), m: state(0.01), v: { ...v, data: v.data.map(Math.abs) } },
    forward: (inputs) =>
      clip !== undefined && clip < 0 ? { params: inputs["params"]!, m: inputs["m"]!, v: inputs["v"]! } : adamw(inputs, all, clip ?? 1),
    run({ params, grads, m, v: second }) {
      const { device } = params!;
      const tensors = { params: device.copyOf(params!), m: device.copyOf(m!), v: device.copyOf(second!) };
      const numbersOfStep = device.tensor(adamwHyper(all), [adamwHyperSize], "f32");
      adamwStep({
        ...tensors,
        grads: grads!,
        hyper: numbersOfStep,
        clip: clip === undefined ? undefined : device.tensor([clip], [1], "f32"),
      });
      return tensors;
    },
    errorClass: "elementwise",
  };
}

function gradNormCase(sizes: number[], scale: number, maxNorm: number): OracleCase {
  const numbers = new Numbers(sizes.length + 1);
  return {
    name: `gradNorm of ${sizes.join(" + ")}, scale ${scale}, max ${maxNorm}`,
    inputs: Object.fromEntries(sizes.map((size, i) => [`bucket${i}`, numbers.input([size], { scale, needsGradient: false })])),
    forward(buckets) {
      const norm = Math.sqrt(Object.values(buckets).reduce((sum, bucket) => bucket.reduce((s, g) => s + g * g, sum), 0));
      return { norm: Float64Array.of(norm), factor: Float64Array.of(Math.min(1, maxNorm / (norm + 1e-6))) };
    },
    run(buckets) {
      const norm = gradNormOp(Object.values(buckets));
      return { norm, factor: clipFactorOp(norm, maxNorm) };
    },
    errorClass: "rowReduction",
  };
}

export const adamwCases: OracleCase[] = [
  adamwCase(1, {}, undefined),
  adamwCase(65, { step: 1000, weightDecay: 0 }, 1),
  adamwCase(1000, { step: 3, learningRate: 5e-6 }, 0.37),
  adamwCase(64, { step: 2, learningRate: 0 }, 1),
  adamwCase(64, { step: 2 }, -1), // a norm that is not finite: nothing changes
];

export const gradNormCases: OracleCase[] = [
  gradNormCase([1], 1, 1),
  gradNormCase([4097, 300], 1, 1),
  gradNormCase([70_001], 1e-3, 1),
  gradNormCase([100], 1e-6, 1),
];
