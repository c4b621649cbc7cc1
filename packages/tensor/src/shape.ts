import { DtypeError } from "@kto/core";
import { ShapeError } from "./errors.js";
import type { Dtype } from "./dtype.js";

/** Sizes of a tensor, outermost first. */
export type Shape = readonly number[];

/** The shape of a tensor, and how many rows (entries of its first dimension) its memory is to have room for; undefined: as many as there are. */
export interface Rows {
  readonly shape: Shape;
  readonly rowCapacity: number | undefined;
}

/** Number of elements. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** True when both have the same rank and sizes. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((size, index) => size === b[index]);
}

/** Product of all sizes but the last: how many rows a row-wise op sees. */
export function rowsOf(shape: Shape): number {
  return sizeOf(shape.slice(0, -1));
}

/** Throws ShapeError unless the tensor has exactly this shape. */
export function expectShape(op: string, name: string, tensor: { shape: Shape }, shape: Shape): void {
  if (!sameShape(tensor.shape, shape)) {
    throw new ShapeError(`${op}: ${name} has the wrong shape; expected [${shape.join(", ")}], got [${tensor.shape.join(", ")}]`);
  }
}

/** Throws DtypeError unless the tensor has one of these dtypes. */
export function expectDtype(op: string, name: string, tensor: { dtype: Dtype }, ...dtypes: Dtype[]): void {
  if (!dtypes.includes(tensor.dtype)) {
    throw new DtypeError(`${op}: ${name} has the wrong dtype; expected ${dtypes.join(" or ")}, got ${tensor.dtype}`);
  }
}

/** Throws ShapeError unless every size is a non-negative integer. */
export function checkShape(op: string, shape: Shape): void {
  for (const size of shape) {
    if (!Number.isInteger(size) || size < 0) {
      throw new ShapeError(`${op}: sizes must be non-negative integers; got [${shape.join(", ")}]`);
    }
  }
}
