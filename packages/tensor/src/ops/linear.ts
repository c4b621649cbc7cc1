import { defineOp } from "../autograd/define-op.js";
import type { FloatDtype } from "../dtype.js";
import { ShapeError } from "../errors.js";
import { expectDtype, expectShape } from "../shape.js";
import type { Tensor } from "../tensor.js";
import { cast } from "./cast.js";
import { gemm } from "./gemm.js";
import { sumColumns } from "./sum-columns.js";

/** Options of `linear`. */
export interface LinearOptions {
  /** Storage type of the result; default f32. */
  dtype?: FloatDtype;
  /** [T, outFeatures] f32, added before the rounding. */
  addend?: Tensor | undefined;
  /** False where the result of an addend is wanted for its place on the tape alone: it is then the addend itself. Default true. */
  isRead?: boolean | undefined;
}

/**
 * A linear layer, as in torch: y = x · weightᵀ + bias (+ addend). Sums are f32 and rounded once.
 *
 * @param x       [T, inFeatures] f32 | f16
 * @param weight  [outFeatures, inFeatures] f32 | f16
 * @param bias    [outFeatures] f32
 * @returns       [T, outFeatures] in `dtype`; throws ShapeError when the sizes do not match, DtypeError on other dtypes
 */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor, { dtype = "f32", addend, isRead = true }: LinearOptions = {}): Tensor {
  return linearOp({ x, weight, bias, addend }, { dtype, isRead }).output;
}

interface Inputs {
  [name: string]: Tensor | undefined;
  x: Tensor;
  weight: Tensor;
  bias: Tensor | undefined;
  addend: Tensor | undefined;
}

const linearOp = defineOp("linear", {
  rows: ["x", "addend"],
  acceptsHalfGradient: true,
  forward({ device }, { x, weight, bias, addend }: Inputs, { dtype, isRead }: { dtype: FloatDtype; isRead: boolean }) {
    expectDtype("linear", "x", x, "f32", "f16");
    expectDtype("linear", "weight", weight, "f32", "f16");
    if (x.shape.length !== 2 || weight.shape.length !== 2 || x.shape[1] !== weight.shape[1]) {
      throw new ShapeError(
        `linear: inner dimensions differ; expected x [T, in] and weight [out, in], got x [${x.shape.join(", ")}] with weight [${weight.shape.join(", ")}]`,
      );
    }
    const [m, k, n] = [x.shape[0]!, x.shape[1]!, weight.shape[0]!];
    if (bias) {
      expectShape("linear", "bias", bias, [n]);
      expectDtype("linear", "bias", bias, "f32");
    }
    if (addend) {
      expectShape("linear", "addend", addend, [m, n]);
      expectDtype("linear", "addend", addend, "f32");
    }
    const saved = { x: weight.requiresGrad || weight.node ? x : undefined, weight };
    if (addend && !isRead) return { output: addend.detach(), saved };
    const y = device.rowsLike(x, [m, n], dtype, "linear");
    gemm({ a: x, b: weight, c: y, m, n, k, transposeB: true, bias, addend });
    return { output: y, saved };
  },
  // dx = dy · weight;  dWeight = dyᵀ · x;  dBias = sum over rows of dy;  dAddend = dy
  vjp({ device, partial }, { x, weight }, dy, needs) {
    const [m, k, n] = [dy.shape[0]!, weight.shape[1]!, weight.shape[0]!];
    let dx: Tensor | undefined;
    if (needs.x) {
      dx = partial.x ?? device.rowsLike(dy, [m, k], "f32", "linear backward");
      // With an f16 weight both operands are f16, for tensor cores; `backward({ scale })` keeps small gradients inside its range.
      gemm({ a: cast(dy.detach(), weight.dtype as FloatDtype), b: weight, c: dx, m, n: k, k: n, accumulate: partial.x !== undefined });
    }
    let dWeight: Tensor | undefined;
    if (needs.weight && x) {
      dWeight = device.empty([n, k], "f32", "linear backward");
      gemm({ a: dy, b: x, c: dWeight, m: n, n: k, k: m, transposeA: true });
    }
    return { x: dx, weight: dWeight, bias: needs.bias && sumColumns(dy, n, [n]), addend: needs.addend && dy };
  },
});
