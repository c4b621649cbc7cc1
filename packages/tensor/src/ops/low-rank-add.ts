import { defineOp } from "../autograd/define-op.js";
import type { FloatDtype } from "../dtype.js";
import { ShapeError } from "../errors.js";
import { expectDtype, expectShape } from "../shape.js";
import type { Tensor } from "../tensor.js";
import { applyBinary } from "./apply-binary.js";
import { gemm } from "./gemm.js";

/** Options of `lowRankAdd`. */
export interface LowRankAddOptions {
  /** Factor of the low-rank product, alpha / r in LoRA. */
  scale: number;
  /** Storage type of the result; default f32. */
  dtype?: FloatDtype;
  /** [T, inFeatures] f32, multiplied to x in the low-rank branch: 0 where dropped, 1 / (1 − p) where kept. */
  dropout?: Tensor;
}

/**
 * Adds a low-rank product to an accumulator: y = base + scale · (x · aᵀ) · bᵀ, all in f32 and rounded once, so that a small update is not lost.
 *
 * @param base  [T, outFeatures] f32, the projection's own sum
 * @param x     [T, inFeatures] f32 | f16
 * @param a     [r, inFeatures] f32
 * @param b     [outFeatures, r] f32
 * @returns     [T, outFeatures] in `dtype`; throws ShapeError when the sizes do not match, DtypeError on other dtypes
 */
export function lowRankAdd(base: Tensor, x: Tensor, a: Tensor, b: Tensor, { scale, dtype = "f32", dropout }: LowRankAddOptions): Tensor {
  return lowRankAddOp({ base, x, a, b, dropout }, { scale, dtype }).output;
}

interface Inputs {
  [name: string]: Tensor | undefined;
  base: Tensor;
  x: Tensor;
  a: Tensor;
  b: Tensor;
  dropout: Tensor | undefined;
}

const lowRankAddOp = defineOp("lowRankAdd", {
  rows: ["base", "x", "dropout", "h"],
  acceptsHalfGradient: true,
  forward({ device }, { base, x, a, b, dropout }: Inputs, { scale, dtype }: { scale: number; dtype: FloatDtype }) {
    checkInputs({ base, x, a, b, dropout });
    const [numTokens, inFeatures, outFeatures, r] = [x.shape[0]!, x.shape[1]!, b.shape[0]!, a.shape[0]!];
    const h = device.rowsLike(x, [numTokens, r], "f32", "lowRankAdd");
    gemm({ a: dropout ? multiply(x, dropout) : x, b: a, c: h, m: numTokens, n: r, k: inFeatures, transposeB: true });
    const y = device.rowsLike(x, [numTokens, outFeatures], dtype, "lowRankAdd");
    gemm({ a: h, b, c: y, m: numTokens, n: outFeatures, k: r, transposeB: true, alpha: scale, addend: base });
    return { output: y, saved: { x, a, b, h, dropout } };
  },
  // dBase = dy;  dB = scale · dyᵀ · h;  dh = scale · dy · b;  dA = dhᵀ · (x ∘ dropout);  dx = (dh · a) ∘ dropout
  vjp({ device, partial }, { x, a, b, h, dropout }, dy, needs, { scale }) {
    const [numTokens, inFeatures, outFeatures, r] = [x.shape[0]!, x.shape[1]!, b.shape[0]!, a.shape[0]!];
    let [dx, dA, dB]: (Tensor | undefined)[] = [];
    if (needs.b) {
      dB = device.empty([outFeatures, r], "f32", "lowRankAdd backward");
      gemm({ a: dy, b: h, c: dB, m: outFeatures, n: r, k: numTokens, transposeA: true, alpha: scale });
    }
    if (needs.a || needs.x) {
      const dh = device.rowsLike(x, [numTokens, r], "f32", "lowRankAdd backward");
      gemm({ a: dy, b, c: dh, m: numTokens, n: r, k: outFeatures, alpha: scale });
      if (needs.a) {
        dA = device.empty([r, inFeatures], "f32", "lowRankAdd backward");
        gemm({ a: dh, b: dropout ? multiply(x, dropout) : x, c: dA, m: r, n: inFeatures, k: numTokens, transposeA: true });
      }
      if (needs.x) {
        const sum = dropout ? undefined : partial.x;
        dx = sum ?? device.rowsLike(x, [numTokens, inFeatures], "f32", "lowRankAdd backward");
        gemm({ a: dh, b: a, c: dx, m: numTokens, n: inFeatures, k: r, accumulate: sum !== undefined });
        if (dropout) dx = multiply(dx, dropout);
      }
    }
    return { base: dy, x: dx, a: dA, b: dB };
  },
});

function checkInputs({ base, x, a, b, dropout }: Inputs): void {
  for (const [name, tensor] of Object.entries({ base, x, a, b })) {
    if (tensor.shape.length !== 2)
      throw new ShapeError(`lowRankAdd: ${name} has the wrong rank; expected two dimensions, got [${tensor.shape.join(", ")}]`);
    expectDtype("lowRankAdd", name, tensor, "f32", ...(name === "x" ? (["f16"] as const) : []));
  }
  const [numTokens, inFeatures, outFeatures] = [x.shape[0]!, x.shape[1]!, base.shape[1]!];
  expectShape("lowRankAdd", "base", base, [numTokens, outFeatures]);
  expectShape("lowRankAdd", "a", a, [a.shape[0]!, inFeatures]);
  expectShape("lowRankAdd", "b", b, [outFeatures, a.shape[0]!]);
  if (dropout) {
    expectShape("lowRankAdd", "dropout", dropout, x.shape);
    expectDtype("lowRankAdd", "dropout", dropout, "f32");
  }
}

/** x ∘ factors in f32, outside the tape. */
function multiply(x: Tensor, factors: Tensor): Tensor {
  const y = x.device.rowsLike(x, x.shape, "f32", "lowRankAdd");
  applyBinary("mul", { a: x, b: factors, y });
  return y;
}
