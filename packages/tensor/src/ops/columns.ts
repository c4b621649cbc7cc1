import { ShapeError } from "../errors.js";
import { expectDtype } from "../shape.js";
import type { Tensor } from "../tensor.js";

/** Some columns of a matrix, from `first` on. */
export interface Columns {
  /** [numRows, n] f16 | f32 */
  tensor: Tensor;
  first: number;
}

/** Projections of tokens: those of a decoder layer that were computed together are columns of one tensor. */
export interface ProjectedColumns {
  /** numHeads · headDim columns */
  q: Columns;
  /** numKeyValueHeads · headDim columns */
  k: Columns;
  /** As k. */
  v: Columns;
}

/** Throws ShapeError or DtypeError unless q, k and v have so many rows, these columns and one dtype. */
export function expectProjections(
  op: string,
  { q, k, v }: ProjectedColumns,
  { numRows, qSize, kSize }: { numRows: number; qSize: number; kSize: number },
): void {
  for (const [name, { tensor, first }, size] of [
    ["q", q, qSize],
    ["k", k, kSize],
    ["v", v, kSize],
  ] as const) {
    expectDtype(op, name, tensor, q.tensor.dtype === "f16" ? "f16" : "f32");
    const [rows, columns = 0] = tensor.shape;
    if (tensor.shape.length !== 2 || rows !== numRows || first < 0 || first + size > columns)
      throw new ShapeError(
        `${op}: ${name} has the wrong shape; expected ${numRows} rows with ${size} columns from ${first} on, got [${tensor.shape.join(", ")}]`,
      );
  }
}

/** Where kernels find the columns: steps from row to row, and the first of each. */
export function projectionParams({
  q,
  k,
  v,
}: ProjectedColumns): Record<"qStride" | "qFirst" | "kStride" | "kFirst" | "vStride" | "vFirst", number> {
  return {
    qStride: q.tensor.shape[1]!,
    qFirst: q.first,
    kStride: k.tensor.shape[1]!,
    kFirst: k.first,
    vStride: v.tensor.shape[1]!,
    vFirst: v.first,
  };
}

/** True where q, k and v are columns of one tensor, which a kernel then binds once. */
export function areJoined({ q, k, v }: ProjectedColumns): boolean {
  return k.tensor === q.tensor && v.tensor === q.tensor;
}
