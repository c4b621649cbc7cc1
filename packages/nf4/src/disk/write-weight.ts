import { sizeOf } from "@kto/tensor";
import { nestedBlockSize } from "../host/scales.js";
import type { Nf4Weight } from "../nf4-weight.js";
import type { QuantState } from "../quant-state.js";
import { companionNames } from "./reader.js";
import { formatStateJson } from "./state-json.js";

/** A tensor for a checkpoint, as `writeSafetensors` of `@kto/safetensors` takes it. */
export interface TensorForDisk {
  dtype: "U8" | "F32";
  shape: number[];
  data: Uint8Array<ArrayBuffer>;
}

/** The same before it is read from the device: its place in a file is known at once, its bytes come when they are asked for. */
export interface TensorContentForDisk extends Omit<TensorForDisk, "data"> {
  data(): Promise<Uint8Array<ArrayBuffer>>;
}

/**
 * Reads a weight back from the device as the tensors that bitsandbytes would have saved for it, by name: packed codes, scales, tables, and the quant state
 * as JSON. `name` is that of the weight, `model.layers.0.mlp.down_proj.weight`.
 */
export async function nf4Tensors(name: string, weight: Nf4Weight): Promise<[name: string, tensor: TensorForDisk][]> {
  const entries: [string, TensorForDisk][] = [];
  for (const [key, { dtype, shape, data }] of nf4Contents(name, weight)) entries.push([key, { dtype, shape, data: await data() }]);
  return entries;
}

/** As `nf4Tensors`, but nothing is read yet: for a file in which many weights follow each other. */
export function nf4Contents(name: string, { device, state, tensors }: Nf4Weight): [name: string, tensor: TensorContentForDisk][] {
  return nf4Layout(name, state, {
    packed: async (byteLength) => (await device.readBytes(tensors.codes)).slice(0, byteLength),
    absmax: async (byteLength) => (await device.readBytes(tensors.absmax)).slice(0, byteLength),
    nestedAbsmax: () => device.readBytes(tensors.nestedAbsmax!),
  });
}

/** The numbers of a four-bit weight, as bytes, given when they are asked for: so many of each. */
export interface Nf4Parts<Packed = Promise<Uint8Array<ArrayBuffer>>> {
  /** Two codes a byte, the even element in the high half. */
  packed(byteLength: number): Packed;
  /** Codes of the scales in 8 bits, or the scales in f32. */
  absmax(byteLength: number): Promise<Uint8Array<ArrayBuffer>>;
  /** f32; only of a weight whose scales are quantised too. */
  nestedAbsmax(byteLength: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** A tensor of a four-bit weight whose packed codes come as `Packed`. */
type LayoutTensor<Packed> = Omit<TensorForDisk, "data"> & { data: () => Packed | Promise<Uint8Array<ArrayBuffer>> };

/** The tensors of a four-bit weight as bitsandbytes saves them, by name, from parts that may lie anywhere. */
export function nf4Layout<Packed>(
  name: string,
  state: QuantState,
  parts: Nf4Parts<Packed>,
): [name: string, tensor: LayoutTensor<Packed>][] {
  const names = companionNames(name);
  const numElements = sizeOf(state.shape);
  const numPacked = Math.ceil(numElements / 2);
  const numBlocks = Math.ceil(numElements / state.blockSize);
  const absmaxBytes = state.nested ? numBlocks : 4 * numBlocks;
  const json = new TextEncoder().encode(formatStateJson(state));
  const entries: [string, LayoutTensor<Packed>][] = [
    [name, { dtype: "U8", shape: state.isTransposed ? [1, numPacked] : [numPacked, 1], data: () => parts.packed(numPacked) }],
    [names.absmax, { dtype: state.nested ? "U8" : "F32", shape: [numBlocks], data: () => parts.absmax(absmaxBytes) }],
  ];
  if (state.nested) {
    const numNested = Math.ceil(numBlocks / nestedBlockSize);
    entries.push([names.nestedAbsmax, { dtype: "F32", shape: [numNested], data: () => parts.nestedAbsmax(4 * numNested) }]);
    entries.push([names.nestedQuantMap, floats(state.nested.codes)]);
  }
  entries.push([names.quantMap, floats(state.codes)]);
  entries.push([names.quantState, { dtype: "U8", shape: [json.byteLength], data: () => Promise.resolve(json) }]);
  return entries;
}

function floats(values: Float32Array): TensorContentForDisk {
  const data = new Uint8Array(Float32Array.from(values).buffer);
  return { dtype: "F32", shape: [values.length], data: () => Promise.resolve(data) };
}
