import { byteSize, type FloatDtype } from "../../dtype.js";
import { wgsl } from "../wgsl.js";

/** An element of a binding: one number, or four that are loaded and stored together. */
export type Packed = FloatDtype | "vec4<f32>" | "vec4<f16>";

/** How an element-wise kernel walks tensors: four numbers at a time if that divides them all. */
export interface Packing {
  /** Number of packed elements of the first size. */
  count: number;
  /** Numbers in a packed element. */
  lanes: 1 | 4;
  of(dtype: FloatDtype): Packed;
}

/** Packs the elements of tensors of these sizes. */
export function packingOf(size: number, ...otherSizes: number[]): Packing {
  const isPacked = [size, ...otherSizes].every((each) => each % 4 === 0);
  return isPacked ? { count: size / 4, lanes: 4, of: (dtype) => `vec4<${dtype}>` } : { count: size, lanes: 1, of: (dtype) => dtype };
}

/** `Float`: the f32 type with as many lanes as a packed type has. */
export function floatAlias(packed: Packed): string {
  return wgsl`alias Float = ${packed.startsWith("vec4") ? "vec4<f32>" : "f32"};`;
}

/** Bytes of a packed element. */
export function packedBytes(packed: Packed): number {
  return packed.startsWith("vec4") ? 4 * byteSize(packed.slice(5, -1) as FloatDtype) : byteSize(packed as FloatDtype);
}
