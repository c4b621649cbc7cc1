import { defineOp } from "../autograd/define-op.js";
import { ShapeError } from "../errors.js";
import { sizeOf, type Shape } from "../shape.js";
import type { Tensor } from "../tensor.js";

/** The same elements under another shape, sharing the storage. Throws ShapeError if the number of elements differs. */
export function view(x: Tensor, shape: Shape): Tensor {
  if (sizeOf(shape) !== x.size) throw new ShapeError(`view: sizes differ; expected ${x.size} elements, got shape [${shape.join(", ")}]`);
  return viewOp({ x }, { shape, inputShape: x.shape }).output;
}

const viewOp = defineOp("view", {
  forward: ({ device }, { x }: { x: Tensor }, { shape }: { shape: Shape; inputShape: Shape }) => ({
    output: device.viewOf(x, shape, x.byteOffset, "view"),
    saved: {},
  }),
  // dx = dy under the old shape
  vjp: ({ device }, _saved, dy, _needs, { inputShape }) => ({ x: device.viewOf(dy, inputShape, dy.byteOffset, "view backward") }),
});
