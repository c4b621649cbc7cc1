import { ShapeError, sizeOf } from "@kto/tensor";
import { dequantizeWeights } from "../host/quantize-weights.js";
import { dequantizeScales } from "../host/scales.js";
import type { QuantState } from "../quant-state.js";
import { companionNames, type CompanionReader } from "./reader.js";
import { expectNf4Sizes, readQuantState } from "./read-weight.js";

/** A `CompanionReader` that also gives parts of a tensor; a `TensorReader` of `@kto/safetensors` is one. */
export interface CompanionRangeReader extends CompanionReader {
  /** Bytes [start, end) of a tensor. */
  readRange(name: string, start: number, end: number): Promise<Uint8Array>;
}

/** A four-bit weight on the host, without a device: dequantised on request, some rows at a time. */
export interface Nf4Values {
  readonly state: QuantState;
  /** [out, in], whichever way it is stored. */
  readonly shape: readonly [outFeatures: number, inFeatures: number];
  /** Rows [from, to) as f32: each value is codes[code] · absmax in f32, rounded once to the dtype of the state, as bitsandbytes dequantises. */
  readRows(from: number, to: number): Promise<Float32Array<ArrayBuffer>>;
}

/**
 * Opens a weight as bitsandbytes stored it, for reading on the host. Its scales are held, 1/64 of its elements; its codes are read as they are needed.
 * Throws as `loadNf4Weight`; NaN among the scales comes through, as it does there.
 */
export async function openNf4Values(
  reader: CompanionRangeReader,
  weightName: string,
  { shape: expected }: { shape?: readonly [outFeatures: number, inFeatures: number] } = {},
): Promise<Nf4Values> {
  const state = await readQuantState(reader, weightName);
  const [rows, columns] = state.shape;
  const shape = state.isTransposed ? ([columns, rows] as const) : ([rows, columns] as const);
  if (expected && (expected[0] !== shape[0] || expected[1] !== shape[1]))
    throw new ShapeError(
      `openNf4Values: ${weightName} contradicts the model; expected [${expected.join(", ")}], got [${shape.join(", ")}]`,
    );
  expectNf4Sizes(reader, weightName, state);
  const absmax = await readScales(reader, weightName, state);
  const readElements = async (first: number, end: number): Promise<Float32Array<ArrayBuffer>> =>
    dequantizeWeights(
      { packed: await reader.readRange(weightName, Math.floor(first / 2), Math.ceil(end / 2)), absmax },
      { ...state, first, size: end - first },
    );
  return {
    state,
    shape,
    readRows: async (from, to) => {
      const [, inFeatures] = shape;
      if (!state.isTransposed) return readElements(from * inFeatures, to * inFeatures);
      return transposedRows(await readElements(0, sizeOf(shape)), shape, from, to);
    },
  };
}

/** One f32 a block. */
async function readScales(reader: CompanionRangeReader, weightName: string, { nested }: QuantState): Promise<Float32Array> {
  const names = companionNames(weightName);
  const { data } = await reader.read(names.absmax);
  if (!nested) return new Float32Array(data.slice().buffer);
  const nestedAbsmax = new Float32Array((await reader.read(names.nestedAbsmax)).data.slice().buffer);
  return dequantizeScales({ codes: data, absmax: nestedAbsmax, offset: nested.offset }, nested.codes);
}

/** Rows of the transpose of a matrix that is stored as [in, out]. */
function transposedRows(
  stored: Float32Array,
  [outFeatures, inFeatures]: readonly [number, number],
  from: number,
  to: number,
): Float32Array<ArrayBuffer> {
  const values = new Float32Array((to - from) * inFeatures);
  for (let row = from; row < to; row++)
    for (let column = 0; column < inFeatures; column++) values[(row - from) * inFeatures + column] = stored[column * outFeatures + row]!;
  return values;
}
