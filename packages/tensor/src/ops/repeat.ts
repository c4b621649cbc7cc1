import { ShapeError } from "../errors.js";
import { sameShape, sizeOf, type Shape } from "../shape.js";
import type { Tensor } from "../tensor.js";
import { sumColumns } from "./sum-columns.js";

/** The shape of the largest operand, into which the others repeat: theirs are a suffix of it, or have one element. Throws ShapeError if one does not. */
export function repeatedShape(op: string, ...operands: Tensor[]): Shape {
  const { shape } = operands.reduce((largest, tensor) => (tensor.size > largest.size ? tensor : largest));
  const repeats = (tensor: Tensor): boolean =>
    tensor.size === 1 || sameShape(tensor.shape, shape.slice(Math.max(0, shape.length - tensor.shape.length)));
  if (!operands.every(repeats))
    throw new ShapeError(
      `${op}: shapes do not match; expected equal shapes or one that repeats, got ${operands.map((tensor) => `[${tensor.shape.join(", ")}]`).join(" and ")}`,
    );
  return shape;
}

/** The gradient of an operand of this shape: summed over its repetitions. */
export function unrepeat(gradient: Tensor, shape: Shape): Tensor {
  const size = sizeOf(shape);
  return gradient.size === size ? gradient : sumColumns(gradient, size, shape);
}
