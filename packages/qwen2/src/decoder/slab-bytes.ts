import { nf4ByteLengths } from "@kto/nf4";
import { byteSize, sizeOf, slabShare, type FloatDtype } from "@kto/tensor";
import type { WeightSpec } from "./weight-specs.js";

/** How a weight will be held on the device. */
export type WeightForm = "full" | "fourBit" | "fourBitNested";

/** What the small ones of these weights take together of shared buffers, in bytes: see `TensorSlabs`. */
export function slabBytes(
  specs: readonly WeightSpec[],
  { dtype, formOf }: { dtype: FloatDtype; formOf(spec: WeightSpec): WeightForm },
): number {
  let total = 0;
  for (const spec of specs) {
    const form = formOf(spec);
    const numElements = sizeOf(spec.shape);
    const byteLengths =
      form === "full"
        ? [numElements * byteSize(spec.kind === "matrix" ? dtype : "f32")]
        : nf4ByteLengths(numElements, { doubleQuant: form === "fourBitNested" });
    for (const byteLength of byteLengths) total += slabShare(byteLength);
  }
  return total;
}
