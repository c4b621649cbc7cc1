import { nf4ByteLengths } from "@kto/nf4";
import { byteSize, sizeOf, slabShare, type FloatDtype } from "@kto/tensor";
import { weightGroups, type WeightSpec } from "./weight-specs.js";

/** How a weight will be held on the device. */
export type WeightForm = "full" | "fourBit" | "fourBitNested";

/** How the weights of a model will be held. */
export interface WeightForms {
  dtype: FloatDtype;
  formOf(spec: WeightSpec): WeightForm;
}

/** Bytes of each tensor that a weight has on the device. */
export function weightByteLengths(spec: WeightSpec, { dtype, formOf }: WeightForms): number[] {
  const form = formOf(spec);
  const numElements = sizeOf(spec.shape);
  if (form === "full") return [numElements * byteSize(spec.kind === "matrix" ? dtype : "f32")];
  return nf4ByteLengths(numElements, { doubleQuant: form === "fourBitNested" });
}

/** True where tensors are to lie in one buffer: those of several weights, or the parts of one in four bits. */
export function needsRegion(group: readonly WeightSpec[], { formOf }: WeightForms): boolean {
  return group.length > 1 || formOf(group[0]!) !== "full";
}

/** What the small ones of these weights take together of shared buffers, in bytes: see `TensorSlabs`. */
export function slabBytes(specs: readonly WeightSpec[], forms: WeightForms): number {
  return weightGroups(specs).reduce((total, group) => total + slabShare(...group.flatMap((spec) => weightByteLengths(spec, forms))), 0);
}
