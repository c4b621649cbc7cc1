import { ShapeError } from "../errors.js";
import type { Rows } from "../shape.js";
import type { GradientRows, Tensor } from "../tensor.js";

/**
 * Says that only the first `count` rows of a tensor take gradients. What ops with a row for each of its rows make of it says so too; of the other rows the tape
 * keeps nothing to compute with, and the backward pass does not see them: they are constants. Gives the tensor back.
 *
 * Throws ShapeError for a tensor on the tape, whose gradient is spoken for already, and for a `count` that is no number of its rows.
 */
export function withGradientRows(tensor: Tensor, rows: GradientRows): Tensor {
  const numRows = tensor.shape[0] ?? 0;
  if (tensor.requiresGrad || tensor.node)
    throw new ShapeError(
      `withGradientRows: ${tensor.label} is on the tape; expected what a forward pass begins with, such as token ids, got ${tensor.node ? "the result of an op" : "a leaf with requiresGrad"}; detach it, or mark what it is made of`,
    );
  if (!Number.isInteger(rows.count) || rows.count < 1 || rows.count > numRows)
    throw new ShapeError(`withGradientRows: ${tensor.label}: expected a count from 1 to ${numRows}, got ${rows.count}`);
  tensor.gradientRows = rows;
  return tensor;
}

/** The first rows of a tensor as a view, those that take gradients; all of its elements without `rows`. In the current scope, not on the tape. */
export function leadingRows(tensor: Tensor, rows: GradientRows | undefined): Tensor {
  const { device, dtype, byteOffset, label } = tensor;
  const { shape, rowCapacity } = shapeOfLeading(tensor, rows);
  return device.viewOf(tensor, shape, byteOffset, label, dtype, rowCapacity);
}

/** The shape of `leadingRows`. */
export function shapeOfLeading({ shape, rowCapacity }: Rows, rows: GradientRows | undefined): Rows {
  if (!rows || rows.count >= shape[0]!) return { shape, rowCapacity };
  return { shape: [rows.count, ...shape.slice(1)], rowCapacity: rows.capacity };
}

/** Which rows of an op's result take gradients, by its inputs with a row for each: all of them (undefined) where an input on the tape has a gradient in all. */
export function gradientRowsOfResult(inputs: readonly (Tensor | undefined)[]): GradientRows | undefined {
  let most: GradientRows | undefined;
  for (const input of inputs) {
    if (!input) continue;
    const { gradientRows: rows, node, requiresGrad } = input;
    if (requiresGrad || (node && !rows)) return undefined;
    if (rows && rows.count >= (most?.count ?? 0)) most = rows;
  }
  return most;
}
