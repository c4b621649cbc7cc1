import { byteSize, type FloatDtype } from "../dtype.js";
import { ShapeError } from "../errors.js";
import { rotateRowsKernel } from "../kernels/rotate-rows.wgsl.js";
import { expectShape } from "../shape.js";
import type { Tensor } from "../tensor.js";
import { areJoined, expectProjections, projectionParams, type ProjectedColumns } from "./columns.js";
import type { RopeTables } from "./rope.js";

/** Projections of tokens, q and k before their rotation. */
export interface ProjectedTokens extends ProjectedColumns {
  tables: RopeTables;
  /** [numTokens] u32, position of each within its row */
  positions: Tensor;
}

/** Rows of a cache that get keys and values. */
export interface KeptRows {
  /** [numSlots, numKeyValueHeads · headDim] f16 | f32 */
  keys: Tensor;
  /** As keys. */
  values: Tensor;
  /** [numTokens] u32, different, each below numSlots */
  slots: Tensor;
}

/** Options of {@link rotateRows}. */
export interface RotateRowsOptions {
  numHeads: number;
  numKeyValueHeads: number;
  /** Even. */
  headDim: number;
  dtype: FloatDtype;
}

/**
 * Rotates q and k of tokens and keeps k and v in a cache, in one launch: what `rope` of each and `writeRows` of both do. Not on the tape.
 *
 * @returns  q [numTokens, numHeads · headDim], k and v [numTokens, numKeyValueHeads · headDim] in `dtype`. Throws ShapeError, DtypeError
 */
export function rotateRows(
  inputs: ProjectedTokens,
  { keys, values, slots }: KeptRows,
  { numHeads, numKeyValueHeads, headDim, dtype }: RotateRowsOptions,
): { q: Tensor; k: Tensor; v: Tensor } {
  const op = "rotateRows";
  const { q, k, v, tables, positions } = inputs;
  const numTokens = positions.size;
  const [qSize, kSize] = [numHeads * headDim, numKeyValueHeads * headDim];
  if (headDim % 2 !== 0) throw new ShapeError(`${op}: headDim must be even; got ${headDim}`);
  expectProjections(op, inputs, { numRows: numTokens, qSize, kSize });
  expectShape(op, "slots", slots, [numTokens]);
  for (const tensor of [keys, values]) expectShape(op, tensor.label, tensor, [keys.shape[0] ?? 0, kSize]);
  const { device } = positions;
  // Sections begin where views may.
  const aligned = (elements: number): number => Math.ceil((elements * byteSize(dtype)) / 256) * (256 / byteSize(dtype));
  const kStart = aligned(numTokens * qSize);
  const vStart = kStart + aligned(numTokens * kSize);
  const y = device.empty([vStart + numTokens * kSize], dtype, op);
  rotateRowsKernel.run(
    device,
    { q: q.tensor, k: k.tensor, v: v.tensor, positions, slots, cos: tables.cos, sin: tables.sin, y, keys, values },
    {
      numPairs: (numTokens * (qSize + 2 * kSize)) / 2,
      half: headDim / 2,
      qPairs: qSize / 2,
      kPairs: kSize / 2,
      ...projectionParams(inputs),
      kStart,
      vStart,
    },
    {
      inputType: q.tensor.dtype as FloatDtype,
      dtype,
      cacheType: keys.dtype as FloatDtype,
      joined: areJoined(inputs),
    },
  );
  const section = (size: number, start: number): Tensor => device.viewOf(y, [numTokens, size], start * byteSize(dtype), op);
  return { q: section(qSize, 0), k: section(kSize, kStart), v: section(kSize, vStart) };
}
