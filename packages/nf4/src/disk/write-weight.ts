import { nestedBlockSize } from "../host/scales.js";
import type { Nf4Weight } from "../nf4-weight.js";
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
export function nf4Contents(name: string, weight: Nf4Weight): [name: string, tensor: TensorContentForDisk][] {
  const { device, state, tensors, numElements } = weight;
  const names = companionNames(name);
  const numPacked = Math.ceil(numElements / 2);
  const numBlocks = Math.ceil(numElements / state.blockSize);
  const absmaxBytes = state.nested ? numBlocks : 4 * numBlocks;
  const json = new TextEncoder().encode(formatStateJson(state));
  const packed = async (): Promise<Uint8Array<ArrayBuffer>> => (await device.readBytes(tensors.codes)).slice(0, numPacked);
  const absmax = async (): Promise<Uint8Array<ArrayBuffer>> => (await device.readBytes(tensors.absmax)).slice(0, absmaxBytes);
  const entries: [string, TensorContentForDisk][] = [
    [name, { dtype: "U8", shape: state.isTransposed ? [1, numPacked] : [numPacked, 1], data: packed }],
    [names.absmax, { dtype: state.nested ? "U8" : "F32", shape: [numBlocks], data: absmax }],
  ];
  if (state.nested) {
    const nestedAbsmax = (): Promise<Uint8Array<ArrayBuffer>> => device.readBytes(tensors.nestedAbsmax!);
    entries.push([names.nestedAbsmax, { dtype: "F32", shape: [Math.ceil(numBlocks / nestedBlockSize)], data: nestedAbsmax }]);
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
