import { sizeOf, type Device, type TensorSpace } from "@kto/tensor";
import { nf4Codes } from "./host/code-table.js";
import { defaultBlockSize } from "./host/quantize-weights.js";
import { nestedBlockSize, nestedCodes } from "./host/scales.js";
import { Nf4Weight } from "./nf4-weight.js";
import type { QuantState } from "./quant-state.js";
import { nf4TensorSizes } from "./tensor-sizes.js";
import type { WeightDtype } from "./weight-dtype.js";

/** What weight to make room for. */
export interface EmptyNf4Options {
  /** [out, in] */
  shape: readonly [outFeatures: number, inFeatures: number];
  dtype: WeightDtype;
  /** Scales are quantised too. */
  doubleQuant: boolean;
  label: string;
  /** Where its tensors get their memory. */
  slabs: TensorSpace;
}

/** The memory of a weight in four bits with arbitrary contents: of one that is still to be loaded, as a rehearsal counts it. */
export function emptyNf4Weight(device: Device, { shape, dtype, doubleQuant, label, slabs }: EmptyNf4Options): Nf4Weight {
  const nested = doubleQuant ? { blockSize: nestedBlockSize, offset: 0, codes: nestedCodes() } : undefined;
  const state: QuantState = { quantType: "nf4", blockSize: defaultBlockSize, dtype, shape, isTransposed: false, codes: nf4Codes, nested };
  const sizes = nf4TensorSizes(sizeOf(shape), { blockSize: defaultBlockSize, isNested: doubleQuant });
  const make = (part: "codes" | "absmax" | "nestedAbsmax" | "tables", type: "u32" | "f32"): ReturnType<TensorSpace["empty"]> =>
    slabs.empty([sizes[part]], type, `${label} ${part}`);
  const tables = make("tables", "f32");
  const absmax = make("absmax", doubleQuant ? "u32" : "f32");
  const nestedAbsmax = doubleQuant ? make("nestedAbsmax", "f32") : undefined;
  return new Nf4Weight(device, state, { codes: make("codes", "u32"), absmax, nestedAbsmax, tables }, label);
}
