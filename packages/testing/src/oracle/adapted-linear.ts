import { adaptedLinear as adaptedLinearOp, adaptedLinears, add, type FloatDtype, type FrozenMatrix, type Tensor } from "@kto/tensor";
import { Numbers, type Arrays, type OracleCase } from "../check/case.js";
import { matmul } from "./linear.js";
import { lowRankAdd, lowRankAddVjp, type LowRankShape } from "./low-rank-add.js";

const scale = 0.75;

interface CaseOptions {
  dtype?: FloatDtype;
  bias?: boolean;
  /** The weight comes as [in / 8, out, 8] in the forward pass. */
  inEights?: boolean;
  /** On emulated matrix units where there are none, forward alone, since a gradient in f16 needs a device that has it. */
  emulated?: boolean;
}

/** y = x · Wᵀ + bias + scale · (x · aᵀ) · bᵀ. */
function adaptedLinear({ x, weight, bias, a, b }: Arrays, shape: LowRankShape): Float64Array {
  const { numTokens, outFeatures: n } = shape;
  const product = matmul(x!, weight!, { m: numTokens, n, transposeB: true });
  const base = bias ? product.map((value, i) => value + bias[i % n]!) : product;
  return lowRankAdd({ base, x: x!, a: a!, b: b! }, shape, scale);
}

/** As of the update, and dx has dy · W besides; dBias is the sum over rows of dy. */
function adaptedLinearVjp({ x, weight, bias, a, b }: Arrays, dy: Float64Array, shape: LowRankShape): Arrays {
  const { numTokens, inFeatures, outFeatures } = shape;
  const update = lowRankAddVjp({ base: dy, x: x!, a: a!, b: b! }, dy, shape, scale);
  const through = matmul(dy, weight!, { m: numTokens, n: inFeatures });
  const dBias = new Float64Array(outFeatures);
  dy.forEach((value, i) => (dBias[i % outFeatures]! += value));
  return { x: update["x"]!.map((value, i) => value + through[i]!), a: update["a"]!, b: update["b"]!, ...(bias && { bias: dBias }) };
}

function adaptedLinearCase(shape: LowRankShape, options: CaseOptions = {}): OracleCase {
  const { dtype = "f16", bias = false, inEights = false, emulated = false } = options;
  const { numTokens, inFeatures, outFeatures, r } = shape;
  const numbers = new Numbers(numTokens + inFeatures + outFeatures + r);
  const weight = numbers.input([outFeatures, inFeatures], { dtype: "f16", needsGradient: false });
  const eights = weight.data.map((_, place) => {
    const [eight, row, j] = [Math.floor(place / (8 * outFeatures)), Math.floor(place / 8) % outFeatures, place % 8];
    return weight.data[row * inFeatures + 8 * eight + j]!;
  });
  return {
    name: `adaptedLinear ${numTokens} × ${inFeatures} → ${outFeatures}, r ${r} → ${dtype}${bias ? ", bias" : ""}${inEights ? ", in eights" : ""}`,
    inputs: {
      x: numbers.input([numTokens, inFeatures], { dtype: "f16" }),
      weight,
      ...(inEights && { eights: { ...weight, data: eights } }),
      a: numbers.input([r, inFeatures], { scale: 0.2 }),
      b: numbers.input([outFeatures, r], { scale: 0.2 }),
      ...(bias && { bias: numbers.input([outFeatures]) }),
    },
    forward: (inputs) => ({ y: adaptedLinear(inputs, shape) }),
    ...(!emulated && { vjp: (inputs: Arrays, dy: Float64Array) => adaptedLinearVjp(inputs, dy, shape) }),
    run: ({ x, weight: rows, eights: other, bias: added, a, b }) => ({
      y: adaptedLinearOp({
        x: x!,
        weight: {
          shape: [outFeatures, inFeatures],
          forProduct: () => (other ? { b: other, inEights: true } : { b: rows!, transposeB: true }),
          forGradient: () => rows!,
        },
        bias: added,
        delta: { a: a!, b: b!, scale },
        dtype,
      }),
    }),
    ...(emulated && { emulated: { pipelinedMatmul: "emulated", skinnyMatmul: "emulated" } }),
    errorClass: "gemm",
    storage: dtype,
    gradientStorage: "f16",
  };
}

function sumOf([first, ...others]: readonly Float64Array[]): Float64Array {
  return first!.map((value, i) => others.reduce((total, other) => total + other[i]!, value));
}

/** Layers of one input, their outputs added up. */
function adaptedLinearsCase(shape: LowRankShape, numLayers: number, { emulated = false }: CaseOptions = {}): OracleCase {
  const { numTokens, inFeatures, outFeatures, r } = shape;
  const numbers = new Numbers(numTokens + inFeatures + outFeatures + numLayers);
  const layers = Array.from({ length: numLayers }, (_, index) => index);
  const inputs = Object.fromEntries([
    ["x", numbers.input([numTokens, inFeatures], { dtype: "f16" })],
    ...layers.flatMap((layer) => [
      [`weight${layer}`, numbers.input([outFeatures, inFeatures], { dtype: "f16", needsGradient: false })] as const,
      [`a${layer}`, numbers.input([r, inFeatures], { scale: 0.2 })] as const,
      [`b${layer}`, numbers.input([outFeatures, r], { scale: 0.02 * 10 ** layer })] as const,
      [`bias${layer}`, numbers.input([outFeatures])] as const,
    ]),
  ]);
  const ofLayer = (all: Arrays, layer: number): Arrays => ({
    x: all["x"]!,
    ...Object.fromEntries(["weight", "a", "b", "bias"].map((name) => [name, all[`${name}${layer}`]!])),
  });
  const matrix = (rows: Tensor): FrozenMatrix => ({
    shape: [outFeatures, inFeatures],
    forProduct: () => ({ b: rows, transposeB: true }),
    forGradient: () => rows,
  });
  return {
    name: `adaptedLinears ${numTokens} × ${inFeatures} → ${numLayers} · ${outFeatures}, r ${r}`,
    inputs,
    forward: (all) => ({ y: sumOf(layers.map((layer) => adaptedLinear(ofLayer(all, layer), shape))) }),
    ...(!emulated && {
      vjp(all: Arrays, dy: Float64Array) {
        const gradients = layers.map((layer) => adaptedLinearVjp(ofLayer(all, layer), dy, shape));
        const others = gradients.flatMap(({ a, b, bias }, layer) =>
          Object.entries({ [`a${layer}`]: a!, [`b${layer}`]: b!, [`bias${layer}`]: bias! }),
        );
        return { x: sumOf(gradients.map(({ x }) => x!)), ...Object.fromEntries(others) };
      },
    }),
    run: (all) => {
      const layerOf = (layer: number): Parameters<typeof adaptedLinears>[1][number] => ({
        weight: matrix(all[`weight${layer}`]!),
        bias: all[`bias${layer}`],
        delta: { a: all[`a${layer}`]!, b: all[`b${layer}`]!, scale },
      });
      return { y: adaptedLinears(all["x"]!, layers.map(layerOf), { dtype: "f32" }).reduce((total, y) => add(total, y)) };
    },
    ...(emulated && { emulated: { pipelinedMatmul: "emulated", skinnyMatmul: "emulated" } }),
    errorClass: "gemm",
    gradientStorage: "f16",
  };
}

export const adaptedLinearCases: OracleCase[] = [
  adaptedLinearCase({ numTokens: 70, inFeatures: 64, outFeatures: 72, r: 8 }, { dtype: "f32", bias: true, inEights: true, emulated: true }),
  adaptedLinearCase({ numTokens: 130, inFeatures: 128, outFeatures: 192, r: 16 }, { bias: true }),
  adaptedLinearCase({ numTokens: 257, inFeatures: 192, outFeatures: 64, r: 24 }, { dtype: "f32", inEights: true }),
  adaptedLinearCase({ numTokens: 40, inFeatures: 64, outFeatures: 320, r: 64 }),
  adaptedLinearsCase({ numTokens: 70, inFeatures: 64, outFeatures: 72, r: 16 }, 2, { emulated: true }),
  adaptedLinearsCase({ numTokens: 40, inFeatures: 64, outFeatures: 128, r: 16 }, 3),
  adaptedLinearsCase({ numTokens: 130, inFeatures: 64, outFeatures: 64, r: 32 }, 2),
];
