import { defineOp } from "../autograd/define-op.js";
import type { FloatDtype } from "../dtype.js";
import type { Tensor } from "../tensor.js";
import type { ElementwiseOptions } from "./add.js";
import { binary } from "./apply-binary.js";
import { negate } from "./negate.js";
import { unrepeat } from "./repeat.js";

/**
 * a / b, element by element; shapes as in `add`.
 *
 * Always finite for finite operands: a quotient past ±3·10³⁸ is ±3·10³⁸, so that is what division by 0 gives, with the sign of a; 0 / 0 is 0. A divisor
 * closer to 0 than 2^−126, of either sign, counts as 2^−126. Gradients at such a divisor overflow, but where dy is 0 they are 0: `where(isNonzero, div(a, b), c)`
 * has no NaN in its own.
 *
 * @param a, b  f32 | f16, any shape
 * @returns     shape of the larger; f32 unless `dtype` says f16. Throws ShapeError if neither repeats into the other
 */
export function div(a: Tensor, b: Tensor, { dtype = "f32" }: ElementwiseOptions = {}): Tensor {
  return divOp({ a, b }, { dtype }).output;
}

const divOp = defineOp("div", {
  forward(_context, { a, b }: { a: Tensor; b: Tensor }, { dtype }: { dtype: FloatDtype }) {
    return { output: binary("div", a, b, dtype), saved: { a, b } };
  },
  // da = dy / b, db = −dy · a / b² = −da · (a / b)
  vjp(_context, { a, b }, dy, needs) {
    const da = binary("div", dy, b, "f32");
    return {
      a: needs.a && unrepeat(da, a.shape),
      b: needs.b && unrepeat(negate(binary("mul", da, binary("div", a, b, "f32"), "f32")), b.shape),
    };
  },
});
