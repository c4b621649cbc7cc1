import { defineOp, DtypeError, expectDtype, expectShape, ShapeError, sumColumns, type FloatDtype, type Tensor } from "@kto/tensor";
import type { Nf4Weight } from "../nf4-weight.js";
import { codesProduct, scratchProduct } from "./linear-4bit-ways.js";

/** Options of `linear4bit`. */
export interface Linear4bitOptions {
  /** Storage type of the result; default f32. */
  dtype?: FloatDtype;
  /** [T, outFeatures] f32, added before the rounding; with an f32 result. */
  addend?: Tensor | undefined;
  /** False where the result of an addend is wanted for its place on the tape alone: it is then the addend itself. Default true. */
  isRead?: boolean | undefined;
}

/**
 * A linear layer with a frozen four-bit weight: y = x · Wᵀ + bias, W dequantised as its quant state says and then rounded to x's dtype. Sums are f32 and
 * rounded once. Both directions start from the codes: W is written to a scratch tensor that ends with the op, or not written at all for few rows.
 *
 * @param x       [T, inFeatures] f32 | f16
 * @param weight  [outFeatures, inFeatures]; no gradient flows to it
 * @param bias    [outFeatures] f32
 * @returns       [T, outFeatures] in `dtype`; throws ShapeError when the sizes do not match, DtypeError on other dtypes
 */
export function linear4bit(
  x: Tensor,
  weight: Nf4Weight,
  bias?: Tensor,
  { dtype = "f32", addend, isRead = true }: Linear4bitOptions = {},
): Tensor {
  return linear4bitOp({ x, bias, addend }, { weight, dtype, operand: x.dtype as FloatDtype, isRead }).output;
}

interface Inputs {
  [name: string]: Tensor | undefined;
  x: Tensor;
  bias: Tensor | undefined;
  addend: Tensor | undefined;
}

interface Attributes {
  weight: Nf4Weight;
  dtype: FloatDtype;
  /** Dtype of x, and so of W in the products. */
  operand: FloatDtype;
  isRead: boolean;
}

const linear4bitOp = defineOp("linear4bit", {
  ways: [codesProduct, scratchProduct],
  rows: ["x", "addend"],
  acceptsHalfGradient: true,
  forward({ device, way }, { x, bias, addend }: Inputs, { weight, dtype, operand, isRead }: Attributes) {
    expectDtype("linear4bit", "x", x, "f32", "f16");
    const [n, k] = weight.shape;
    if (x.shape.length !== 2 || x.shape[1] !== k) {
      throw new ShapeError(
        `linear4bit: inner dimensions differ; expected x [T, in] and weight [out, in], got x [${x.shape.join(", ")}] with weight [${n}, ${k}] (${weight.label})`,
      );
    }
    if (bias) {
      expectShape("linear4bit", "bias", bias, [n]);
      expectDtype("linear4bit", "bias", bias, "f32");
    }
    const rows = x.shape[0]!;
    if (addend) {
      expectShape("linear4bit", "addend", addend, [rows, n]);
      expectDtype("linear4bit", "addend", addend, "f32");
      if (dtype !== "f32") throw new DtypeError(`linear4bit: an addend goes to a result in f32; expected dtype f32, got ${dtype}`);
    }
    if (addend && !isRead) return { output: addend.detach(), saved: {} };
    const y = device.rowsLike(x, [rows, n], dtype, "linear4bit");
    if (rows > 0) way({ direction: "forward", rows, weight }).forward({ x, weight, bias, addend, y, operand });
    return { output: y, saved: {} };
  },
  // dx = dy · W;  dBias = sum over rows of dy;  dAddend = dy
  vjp({ device, way, partial }, _saved, dy, needs, { weight, operand }) {
    const [n, k] = weight.shape;
    const rows = dy.shape[0]!;
    let dx: Tensor | undefined;
    if (needs.x) {
      dx = partial.x ?? device.rowsLike(dy, [rows, k], "f32", "linear4bit backward");
      const accumulate = partial.x !== undefined;
      if (rows > 0) way({ direction: "backward", rows, weight }).backward({ dy, weight, dx, accumulate, operand });
    }
    return { x: dx, bias: needs.bias && sumColumns(dy, n, [n]), addend: needs.addend && dy };
  },
});
