import { defineOp } from "../autograd/define-op.js";
import { ShapeError } from "../errors.js";
import { unaryBackwardKernel, unaryKernel } from "../kernels/elementwise.wgsl.js";
import { unaryFunctions, type UnaryFunction } from "../kernels/lib/elementwise-functions.js";
import { expectDtype } from "../shape.js";
import type { Tensor } from "../tensor.js";

/** x · factor; f32, any shape. */
export function scale(x: Tensor, factor: number): Tensor {
  return unaryOp({ x }, { fn: "scale", p: factor }).output;
}

/** x + amount; f32, any shape. */
export function shift(x: Tensor, amount: number): Tensor {
  return unaryOp({ x }, { fn: "shift", p: amount }).output;
}

/** 1 / (1 + e^(−x)); f32, any shape. */
export function sigmoid(x: Tensor): Tensor {
  return unaryOp({ x }, { fn: "sigmoid" }).output;
}

/** max(x, bound), with gradient 0 where the bound holds; f32, any shape. */
export function maximum(x: Tensor, bound: number): Tensor {
  return unaryOp({ x }, { fn: "maximum", p: bound }).output;
}

/**
 * Natural logarithm; f32, any shape. x below 2^−126, also 0 and what is negative, counts as 2^−126: its logarithm is −87.34, its gradient 0. So the
 * result is finite for every finite x.
 */
export function log(x: Tensor): Tensor {
  return unaryOp({ x }, { fn: "log" }).output;
}

/** e^x; f32, any shape. x above 88.5 counts as 88.5, which gives 2.7·10³⁸, with gradient 0: the result is finite for every finite x. */
export function exp(x: Tensor): Tensor {
  return unaryOp({ x }, { fn: "exp" }).output;
}

/** log(1 / (1 + e^(−x))) to f32's precision, however large |x|; f32, any shape. Its gradient is sigmoid(−x). */
export function logSigmoid(x: Tensor): Tensor {
  return unaryOp({ x }, { fn: "logSigmoid" }).output;
}

/**
 * log(1 − e^x) to f32's precision: of a probability's logarithm, that of its complement; f32, any shape. x above −2^−126, also 0 and what is positive, counts as
 * −2^−126: the result is −87.34, its gradient 0. So it is finite for every finite x.
 */
export function logOneMinusExp(x: Tensor): Tensor {
  return unaryOp({ x }, { fn: "logOneMinusExp" }).output;
}

/** x, but at least `low` and at most `high`, which may be infinite; gradient 1 from `low` to `high`, 0 outside; f32, any shape. Throws ShapeError if low > high. */
export function clamp(x: Tensor, low: number, high: number): Tensor {
  if (!(low <= high)) throw new ShapeError(`clamp: expected low to be at most high, got ${low} and ${high}`);
  const finite = (bound: number): number => Math.max(-largestFloat, Math.min(bound, largestFloat));
  return unaryOp({ x }, { fn: "clamp", p: finite(low), q: finite(high) }).output;
}

/** The largest finite f32: a shader knows no infinity. */
const largestFloat = 3.4028234663852886e38;

interface Attributes {
  fn: UnaryFunction;
  p?: number;
  q?: number;
}

const unaryOp = defineOp("unary", {
  forward({ device }, { x }: { x: Tensor }, { fn, p = 0, q = 0 }: Attributes) {
    expectDtype(fn, "x", x, "f32");
    const y = device.rowsLike(x, x.shape, "f32", fn);
    unaryKernel.run(device, { x, y }, { size: x.size, p, q }, { fn });
    return { output: y, saved: { value: { x, y, none: undefined }[unaryFunctions[fn].saves] } };
  },
  // dx = dy · f'(x)
  vjp({ device }, { value }, dy, _needs, { fn, p = 0, q = 0 }) {
    const dx = device.rowsLike(dy, dy.shape, "f32", `${fn} backward`);
    unaryBackwardKernel.run(device, { value: value ?? dy, dy, dx }, { size: dy.size, p, q }, { fn });
    return { x: dx };
  },
});
