import { defineOp, expectDtype, type Tensor } from "@kto/tensor";
import { logCoshBackwardKernel, logCoshKernel } from "./log-cosh.wgsl.js";

const logCoshOp = defineOp("logCosh", {
  forward({ device }, { x }: { x: Tensor }, _attributes: object) {
    expectDtype("logCosh", "x", x, "f32");
    const y = device.rowsLike(x, x.shape, "f32", "logCosh");
    logCoshKernel.run(device, { x, y }, { size: x.size }, {});
    return { output: y, saved: { x } };
  },
  // dx = dy · tanh x
  vjp({ device }, { x }, dy) {
    const dx = device.rowsLike(x, x.shape, "f32", "logCosh dx");
    logCoshBackwardKernel.run(device, { x, dy, dx }, { size: x.size }, {});
    return { x: dx };
  },
});

/**
 * log cosh x, element by element: x² / 2 near 0 and |x| − log 2 far from it, a square that outliers do not rule.
 *
 * @param x  any shape, f32; DtypeError otherwise
 * @returns  the same shape, f32
 */
export function logCosh(x: Tensor): Tensor {
  return logCoshOp({ x }, {}).output;
}
