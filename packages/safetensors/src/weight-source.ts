import { BoundsError, DtypeError, excerpt, FormatError } from "@kto/core";
import type { Checkpoint } from "./checkpoint.js";
import { toFloat32 } from "./convert.js";
import { byteSizeOf } from "./dtype.js";

/** What a weight is: its shape, and the narrowest of three dtypes that holds its values without loss (F32 for what was computed). */
export interface WeightInfo {
  readonly shape: readonly number[];
  readonly dtype: "F32" | "F16" | "BF16";
}

/** Rows [from, to) of a weight's first dimension. */
export interface RowRange {
  readonly from: number;
  readonly to: number;
}

/** The weights of a model under transformers' names, read one, or some rows of one, at a time; from a file or computed on the way. No GPU. */
export interface WeightSource {
  /** In the order of the files. */
  readonly tensors: ReadonlyMap<string, WeightInfo>;
  /**
   * The values of a weight, or of its `rows`: f32, row-major, in an array of their own.
   *
   * Throws FormatError when there is no weight of this name, BoundsError for rows outside of it.
   */
  read(name: string, rows?: RowRange): Promise<Float32Array>;
}

/**
 * The weights of a checkpoint that holds nothing but F32, F16 and BF16.
 *
 * Throws DtypeError naming the first tensor of another dtype.
 */
export function checkpointWeights(checkpoint: Checkpoint): WeightSource {
  const tensors = new Map<string, WeightInfo>();
  for (const { name, shape, dtype } of checkpoint.tensors.values()) {
    if (dtype !== "F32" && dtype !== "F16" && dtype !== "BF16")
      throw new DtypeError(
        `checkpointWeights: ${excerpt(name, 120)} is no plain weight; expected F32, F16 or BF16, got ${dtype}; a quantised checkpoint is read by the package of its format`,
        { dtype },
      );
    tensors.set(name, { shape, dtype });
  }
  return {
    tensors,
    async read(name, rows) {
      const { from, to, rowSize, dtype } = weightRows(tensors, name, rows);
      const bytesPerRow = rowSize * byteSizeOf(dtype);
      return toFloat32(await checkpoint.readRange(name, from * bytesPerRow, to * bytesPerRow), dtype).values;
    },
  };
}

/**
 * What a `read` of a WeightSource asks for: the rows, all where none are given, the elements of one, and the weight's dtype. A scalar is one row.
 *
 * Throws FormatError when there is no weight of this name, BoundsError for rows outside of it.
 */
export function weightRows(
  tensors: WeightSource["tensors"],
  name: string,
  rows?: RowRange,
): RowRange & Pick<WeightInfo, "dtype"> & { readonly rowSize: number } {
  const info = tensors.get(name);
  if (info === undefined)
    throw new FormatError(`read: there is no weight ${excerpt(name, 120)}; expected one of ${tensors.size}; check the name`, {
      tensor: name,
    });
  const count = info.shape[0] ?? 1;
  const rowSize = info.shape.slice(1).reduce((product, length) => product * length, 1);
  const { from, to } = rows ?? { from: 0, to: count };
  if (!(Number.isSafeInteger(from) && Number.isSafeInteger(to) && 0 <= from && from <= to && to <= count))
    throw new BoundsError(`read: rows outside of ${excerpt(name, 120)}; expected 0 ≤ from ≤ to ≤ ${count}, got [${from}, ${to})`);
  return { from, to, rowSize, dtype: info.dtype };
}
