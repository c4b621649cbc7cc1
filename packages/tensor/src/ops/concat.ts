import { rangeOf } from "../device/buffer-range.js";
import { ShapeError } from "../errors.js";
import { expectDtype } from "../shape.js";
import type { Tensor } from "../tensor.js";

/** Vectors one after another, outside the tape: [n₁], [n₂], … f32 → [n₁ + n₂ + …] f32. One alone is not copied. Throws ShapeError without tensors. */
export function concat(vectors: readonly Tensor[]): Tensor {
  const [first] = vectors;
  if (!first) throw new ShapeError("concat: needs at least one tensor");
  if (vectors.length === 1) return first.detach();
  const { device } = first;
  const total = vectors.reduce((size, vector) => size + vector.size, 0);
  const joined = device.empty([total], "f32", "concat");
  const { buffer, offset } = rangeOf(joined);
  let start = 0;
  for (const vector of vectors) {
    expectDtype("concat", "vectors", vector, "f32");
    const from = rangeOf(vector);
    if (vector.size > 0)
      device.recorder.copy({ ...from, size: vector.byteLength }, { buffer, offset: offset + 4 * start, size: vector.byteLength });
    start += vector.size;
  }
  return joined;
}
