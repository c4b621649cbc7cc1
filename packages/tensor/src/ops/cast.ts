import { defineOp } from "../autograd/define-op.js";
import { converted } from "../autograd/untaped.js";
import type { FloatDtype } from "../dtype.js";
import { expectDtype } from "../shape.js";
import type { Tensor } from "../tensor.js";

/**
 * x in another storage type, rounded to nearest; x itself if it has that type already. A value past f16's range becomes an infinity, which shows
 * in the loss. The gradient is f32.
 */
export function cast(x: Tensor, dtype: FloatDtype): Tensor {
  return x.dtype === dtype ? x : castOp({ x }, { dtype }).output;
}

const castOp = defineOp("cast", {
  rows: ["x"],
  forward(_context, { x }: { x: Tensor }, { dtype }: { dtype: FloatDtype }) {
    expectDtype("cast", "x", x, "f32", "f16");
    return { output: converted(x, dtype), saved: {} };
  },
  // dx = dy
  vjp: (_context, _saved, dy) => ({ x: dy }),
});
