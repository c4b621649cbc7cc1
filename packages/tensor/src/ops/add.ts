import { defineOp } from "../autograd/define-op.js";
import type { FloatDtype } from "../dtype.js";
import type { Tensor } from "../tensor.js";
import { binary } from "./apply-binary.js";
import { negate } from "./negate.js";
import { unrepeat } from "./repeat.js";

/** dtype of the result of `add`, `sub`, `mul`, `div`, `where`; default f32. */
export interface ElementwiseOptions {
  dtype?: FloatDtype;
}

/**
 * a + b, element by element. The smaller operand is repeated if its shape is a suffix of the other's, or if it has one element.
 *
 * @param a, b  f32 | f16, any shape; sums are computed in f32
 * @returns     shape of the larger; f32 unless `dtype` says f16. Throws ShapeError if neither repeats into the other
 */
export function add(a: Tensor, b: Tensor, { dtype = "f32" }: ElementwiseOptions = {}): Tensor {
  return addOp({ a, b }, { dtype }).output;
}

/** a − b; shapes as in `add`. */
export function sub(a: Tensor, b: Tensor, { dtype = "f32" }: ElementwiseOptions = {}): Tensor {
  return subOp({ a, b }, { dtype }).output;
}

/** a · b, element by element; shapes as in `add`. */
export function mul(a: Tensor, b: Tensor, { dtype = "f32" }: ElementwiseOptions = {}): Tensor {
  return mulOp({ a, b }, { dtype }).output;
}

interface Pair {
  [name: string]: Tensor;
  a: Tensor;
  b: Tensor;
}

const addOp = defineOp("add", {
  rows: ["a", "b"],
  forward: (_context, { a, b }: Pair, { dtype }: { dtype: FloatDtype }) => ({ output: binary("add", a, b, dtype), saved: {} }),
  // da = dy, db = dy, each summed over its repetitions
  vjp: ({ shapes: { a, b } }, _saved, dy, needs) => ({ a: needs.a && unrepeat(dy, a.shape), b: needs.b && unrepeat(dy, b.shape) }),
});

const subOp = defineOp("sub", {
  rows: ["a", "b"],
  forward: (_context, { a, b }: Pair, { dtype }: { dtype: FloatDtype }) => ({ output: binary("sub", a, b, dtype), saved: {} }),
  // da = dy, db = −dy
  vjp: ({ shapes: { a, b } }, _saved, dy, needs) => ({
    a: needs.a && unrepeat(dy, a.shape),
    b: needs.b && unrepeat(negate(dy), b.shape),
  }),
});

const mulOp = defineOp("mul", {
  forward: (_context, { a, b }: Pair, { dtype }: { dtype: FloatDtype }) => ({ output: binary("mul", a, b, dtype), saved: { a, b } }),
  // da = dy · b, db = dy · a
  vjp: (_context, { a, b }, dy, needs) => ({
    a: needs.a && unrepeat(binary("mul", dy, b, "f32"), a.shape),
    b: needs.b && unrepeat(binary("mul", dy, a, "f32"), b.shape),
  }),
});
