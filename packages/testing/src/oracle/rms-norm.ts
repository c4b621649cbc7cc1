import { rmsNorm as rmsNormOp, type FloatDtype } from "@kto/tensor";
import { Numbers, type Arrays, type OracleCase } from "../check/case.js";

/** y = x · rstd · weight, rstd = 1 / sqrt(mean of x² + eps), row by row. */
export function rmsNorm({ x, weight }: Arrays, eps: number): Float64Array {
  const y = new Float64Array(x!.length);
  forEachRow(x!, weight!.length, eps, (base, rstd) => {
    for (let col = 0; col < weight!.length; col++) y[base + col] = x![base + col]! * rstd * weight![col]!;
  });
  return y;
}

/** dx = rstd · (dy·w − x · rstd² · mean(dy·w·x));  dWeight = sum over rows of dy · x · rstd. */
export function rmsNormVjp({ x, weight }: Arrays, dy: Float64Array, eps: number): Arrays {
  const n = weight!.length;
  const dx = new Float64Array(x!.length);
  const dWeight = new Float64Array(n);
  forEachRow(x!, n, eps, (base, rstd) => {
    let dot = 0;
    for (let col = 0; col < n; col++) dot += dy[base + col]! * weight![col]! * x![base + col]!;
    for (let col = 0; col < n; col++) {
      dx[base + col] = rstd * (dy[base + col]! * weight![col]! - (x![base + col]! * rstd * rstd * dot) / n);
      dWeight[col]! += dy[base + col]! * x![base + col]! * rstd;
    }
  });
  return { x: dx, weight: dWeight };
}

function forEachRow(x: Float64Array, n: number, eps: number, use: (base: number, rstd: number) => void): void {
  for (let base = 0; base < x.length; base += n) {
    let sumSquares = 0;
    for (let col = 0; col < n; col++) sumSquares += x[base + col]! ** 2;
    use(base, 1 / Math.sqrt(sumSquares / n + eps));
  }
}

function rmsNormCase(
  rows: number,
  n: number,
  { xType = "f32", dtype = "f32", scale = 1 }: { xType?: FloatDtype; dtype?: FloatDtype; scale?: number } = {},
): OracleCase {
  const numbers = new Numbers(rows + n);
  const eps = 1e-6;
  return {
    name: `rmsNorm ${rows} × ${n} ${xType} → ${dtype}${scale === 1 ? "" : `, scale ${scale}`}`,
    inputs: { x: numbers.input([rows, n], { dtype: xType, scale }), weight: numbers.input([n]) },
    forward: (inputs) => ({ y: rmsNorm(inputs, eps) }),
    vjp: (inputs, dy) => rmsNormVjp(inputs, dy, eps),
    run: ({ x, weight }) => ({ y: rmsNormOp(x!, weight!, { eps, dtype }) }),
    errorClass: "rowReduction",
    storage: dtype,
  };
}

export const rmsNormCases: OracleCase[] = [
  rmsNormCase(1, 1),
  rmsNormCase(3, 5),
  rmsNormCase(17, 64),
  rmsNormCase(130, 257),
  rmsNormCase(2, 1536, { scale: 50 }),
  { ...rmsNormCase(66_000, 2), manyGroups: true },
  rmsNormCase(5, 96, { dtype: "f16" }),
  rmsNormCase(5, 33, { xType: "f16", dtype: "f16" }),
];
