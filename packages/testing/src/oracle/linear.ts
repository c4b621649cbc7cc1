import { linear as linearOp, type FloatDtype } from "@kto/tensor";
import { Numbers, type Arrays, type OracleCase } from "../check/case.js";

/** c[m, n] = Σ a(m, k) · b(k, n) with a as [m, k], or [k, m] when transposed, and b as [k, n], or [n, k] when transposed. */
export function matmul(
  a: Float64Array,
  b: Float64Array,
  { m, n, transposeA = false, transposeB = false }: { m: number; n: number; transposeA?: boolean; transposeB?: boolean },
): Float64Array {
  const k = a.length / m;
  const c = new Float64Array(m * n);
  for (let row = 0; row < m; row++) {
    for (let col = 0; col < n; col++) {
      let sum = 0;
      for (let depth = 0; depth < k; depth++)
        sum += a[transposeA ? depth * m + row : row * k + depth]! * b[transposeB ? col * k + depth : depth * n + col]!;
      c[row * n + col] = sum;
    }
  }
  return c;
}

/** y = x · weightᵀ + bias. */
export function linear({ x, weight, bias }: Arrays, m: number, n: number): Float64Array {
  const y = matmul(x!, weight!, { m, n, transposeB: true });
  return bias ? y.map((value, i) => value + bias[i % n]!) : y;
}

/** dx = dy · weight;  dWeight = dyᵀ · x;  dBias = sum over rows of dy. */
export function linearVjp({ x, weight, bias }: Arrays, dy: Float64Array, m: number, n: number): Arrays {
  const k = x!.length / m;
  const gradients: Arrays = { x: matmul(dy, weight!, { m, n: k }), weight: matmul(dy, x!, { m: n, n: k, transposeA: true }) };
  if (bias) gradients["bias"] = bias.map((_, col) => dy.reduce((sum, value, i) => (i % n === col ? sum + value : sum), 0));
  return gradients;
}

interface Options {
  bias?: boolean;
  xType?: FloatDtype;
  weightType?: FloatDtype;
  dtype?: FloatDtype;
}

function linearCase(
  m: number,
  k: number,
  n: number,
  { bias = false, xType = "f32", weightType = "f32", dtype = "f32" }: Options = {},
): OracleCase {
  const numbers = new Numbers(m + k + n);
  const usesHalf = weightType === "f16";
  return {
    name: `linear ${m} × ${k} → ${n}, x ${xType}, weight ${weightType}${bias ? " and bias" : ""} → ${dtype}`,
    inputs: {
      x: numbers.input([m, k], { dtype: xType }),
      weight: numbers.input([n, k], { dtype: weightType, needsGradient: !usesHalf }),
      ...(bias && { bias: numbers.input([n]) }),
    },
    forward: (inputs) => ({ y: linear(inputs, m, n) }),
    vjp: (inputs, dy) => linearVjp(inputs, dy, m, n),
    run: ({ x, weight, bias: b }) => ({ y: linearOp(x!, weight!, b, { dtype }) }),
    errorClass: "gemm",
    storage: dtype,
    gradientStorage: weightType,
  };
}

export const linearCases: OracleCase[] = [
  linearCase(1, 1, 1),
  linearCase(3, 5, 7, { bias: true }),
  linearCase(33, 65, 31, { bias: true }),
  linearCase(129, 64, 65),
  linearCase(2, 2048, 3),
  linearCase(300, 8, 16, { bias: true }),
  linearCase(17, 64, 48, { xType: "f16", weightType: "f16" }),
  linearCase(128, 64, 192, { bias: true, xType: "f16", weightType: "f16", dtype: "f16" }),
  linearCase(130, 96, 256, { xType: "f16", weightType: "f16", dtype: "f16" }),
  linearCase(9, 40, 24, { weightType: "f16" }),
  // Few rows: on vectors where subgroups have 32 lanes.
  linearCase(1, 1536, 40, { xType: "f16", weightType: "f16" }),
  linearCase(3, 264, 56, { bias: true, xType: "f16", weightType: "f16", dtype: "f16" }),
  linearCase(20, 4096, 24, { bias: true, xType: "f16", weightType: "f16" }),
];
