import { lowRankAdd as lowRankAddOp, type FloatDtype } from "@kto/tensor";
import { Numbers, roundTo, type Arrays, type OracleCase } from "../check/case.js";
import { matmul } from "./linear.js";

/** Sizes of a low-rank product. */
export interface LowRankShape {
  numTokens: number;
  inFeatures: number;
  outFeatures: number;
  r: number;
}

/** y = base + scale · (x ∘ dropout) · aᵀ · bᵀ. */
export function lowRankAdd({ base, x, a, b, dropout }: Arrays, { numTokens, outFeatures, r }: LowRankShape, scale: number): Float64Array {
  const h = matmul(masked(x!, dropout), a!, { m: numTokens, n: r, transposeB: true });
  const product = matmul(h, b!, { m: numTokens, n: outFeatures, transposeB: true });
  return base!.map((value, i) => value + scale * product[i]!);
}

/** dBase = dy;  dB = scale · dyᵀ · h;  dh = scale · dy · b;  dA = dhᵀ · (x ∘ dropout);  dx = (dh · a) ∘ dropout. */
export function lowRankAddVjp(
  { x, a, b, dropout }: Arrays,
  dy: Float64Array,
  { numTokens, inFeatures, outFeatures, r }: LowRankShape,
  scale: number,
): Arrays {
  const dropped = masked(x!, dropout);
  const h = matmul(dropped, a!, { m: numTokens, n: r, transposeB: true });
  const scaled = dy.map((value) => scale * value);
  const dh = matmul(scaled, b!, { m: numTokens, n: r });
  return {
    base: dy,
    b: matmul(scaled, h, { m: outFeatures, n: r, transposeA: true }),
    a: matmul(dh, dropped, { m: r, n: inFeatures, transposeA: true }),
    x: masked(matmul(dh, a!, { m: numTokens, n: inFeatures }), dropout),
  };
}

function masked(x: Float64Array, factors: Float64Array | undefined): Float64Array {
  return factors ? x.map((value, i) => value * factors[i]!) : x;
}

function lowRankAddCase(
  shape: LowRankShape,
  { dropout = false, xType = "f32", dtype = "f32" }: { dropout?: boolean; xType?: FloatDtype; dtype?: FloatDtype } = {},
): OracleCase {
  const { numTokens, inFeatures, outFeatures, r } = shape;
  const numbers = new Numbers(numTokens + inFeatures + outFeatures + r);
  const scale = 0.5;
  const mask = numbers.input([numTokens, inFeatures], { needsGradient: false });
  return {
    name: `lowRankAdd ${numTokens} × ${inFeatures} → ${outFeatures}, r ${r}, ${xType} → ${dtype}${dropout ? ", dropout" : ""}`,
    inputs: {
      base: numbers.input([numTokens, outFeatures]),
      x: numbers.input([numTokens, inFeatures], { dtype: xType }),
      a: numbers.input([r, inFeatures]),
      b: numbers.input([outFeatures, r]),
      ...(dropout && { dropout: { ...mask, data: mask.data.map((value) => (value < 0 ? 0 : roundTo("f32", 1 / 0.9))) } }),
    },
    forward: (inputs) => ({ y: lowRankAdd(inputs, shape, scale) }),
    vjp: (inputs, dy) => lowRankAddVjp(inputs, dy, shape, scale),
    run: ({ base, x, a, b, dropout: factors }) => ({ y: lowRankAddOp(base!, x!, a!, b!, { scale, dtype, dropout: factors }) }),
    errorClass: "gemm",
    storage: dtype,
    gradientStorage: xType,
  };
}

export const lowRankAddCases: OracleCase[] = [
  lowRankAddCase({ numTokens: 1, inFeatures: 1, outFeatures: 1, r: 1 }),
  lowRankAddCase({ numTokens: 5, inFeatures: 7, outFeatures: 9, r: 2 }),
  lowRankAddCase({ numTokens: 65, inFeatures: 33, outFeatures: 40, r: 16 }, { dropout: true }),
  lowRankAddCase({ numTokens: 300, inFeatures: 20, outFeatures: 10, r: 3 }),
  lowRankAddCase({ numTokens: 64, inFeatures: 128, outFeatures: 64, r: 16 }, { xType: "f16", dtype: "f16" }),
  lowRankAddCase({ numTokens: 70, inFeatures: 96, outFeatures: 80, r: 8 }, { xType: "f16", dropout: true }),
];
