import { defineOp } from "../autograd/define-op.js";
import { unaryBackwardKernel, unaryFunctions, unaryKernel, type UnaryFunction } from "../kernels/elementwise.wgsl.js";
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
  return unaryOp({ x }, { fn: "sigmoid", p: 0 }).output;
}

/** max(x, bound), with gradient 0 where the bound holds; f32, any shape. */
export function maximum(x: Tensor, bound: number): Tensor {
  return unaryOp({ x }, { fn: "maximum", p: bound }).output;
}

const unaryOp = defineOp("unary", {
  forward({ device }, { x }: { x: Tensor }, { fn, p }: { fn: UnaryFunction; p: number }) {
    expectDtype(fn, "x", x, "f32");
    const y = device.empty(x.shape, "f32", fn);
    unaryKernel.run(device, { x, y }, { size: x.size, p }, { fn });
    return { output: y, saved: { value: { x, y, none: undefined }[unaryFunctions[fn].saves] } };
  },
  // dx = dy · f'(x)
  vjp({ device }, { value }, dy, _needs, { fn, p }) {
    const dx = device.empty(dy.shape, "f32", `${fn} backward`);
    unaryBackwardKernel.run(device, { value: value ?? dy, dy, dx }, { size: dy.size, p }, { fn });
    return { x: dx };
  },
});
