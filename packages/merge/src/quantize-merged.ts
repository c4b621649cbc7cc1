import {
  dequantizeScales,
  dequantizeWeights,
  nestedCodes,
  nf4Codes,
  nf4Layout,
  quantizeScales,
  quantizeWeights,
  type QuantState,
  type WeightDtype,
} from "@kto/nf4";
import { diskDtypes, savedBytes, type NamedTensor, type SaveDtype, type WeightSpec } from "@kto/qwen2";
import { toFloat32, type RowRange } from "@kto/safetensors";
import type { MergedWeights } from "./merged-weights.js";
import { rowsInPieces } from "./rows-in-pieces.js";

/** How much a merge lost when its sums were put into four bits again, over all layers in four bits. */
export interface QuantizationLoss {
  /** √(Σ error² / Σ weight²); 0.09 is what NF4 loses of normally distributed weights. */
  readonly relativeError: number;
  /** Root mean square of the error. */
  readonly error: number;
  /** Root mean square of what the adapters changed: less than the error, and most of it is lost in it. */
  readonly change: number;
}

/** A weight to be quantised. */
interface Quantized {
  readonly spec: WeightSpec;
  readonly state: QuantState;
  /** f32, as a reader will have them. */
  readonly scales: Float32Array;
  /** As they are stored. */
  readonly stored: { readonly absmax: Uint8Array | Float32Array; readonly nestedAbsmax: Float32Array };
}

const saveDtypes: Readonly<Record<WeightDtype, SaveDtype>> = { float32: "f32", float16: "f16", bfloat16: "bf16" };
const weightDtypes: Readonly<Record<SaveDtype, WeightDtype>> = { f32: "float32", f16: "float16", bf16: "bfloat16" };

/**
 * Merged weights in four bits again: those layers that are so in the model's checkpoint, with their settings, or all of its linear layers where none is, with
 * scales quantised too. As peft merges into a four-bit layer, a sum is rounded to the dtype of the weight before it is quantised. The scales, whose mean stands in the file before them, are
 * found on a first way through the weights; the codes are made on a second, as they are written.
 */
export class MergedQuantizer {
  readonly #weights: MergedWeights;
  readonly #dtype: SaveDtype;
  readonly #quantized: readonly Quantized[];
  readonly #squares = { error: 0, weight: 0, change: 0, elements: 0 };

  private constructor(weights: MergedWeights, dtype: SaveDtype, quantized: readonly Quantized[]) {
    this.#weights = weights;
    this.#dtype = dtype;
    this.#quantized = quantized;
  }

  /** Finds the scales of all layers; `onLayer` is told how many are done. `dtype` is that of a weight that was in 16 or 32 bits before. */
  static async open(
    weights: MergedWeights,
    {
      dtype,
      signal,
      onLayer,
    }: { dtype: SaveDtype; signal?: AbortSignal | undefined; onLayer?(done: number, total: number, name: string): void },
  ): Promise<MergedQuantizer> {
    const isChosen = ({ linear }: WeightSpec): boolean =>
      linear !== undefined && (weights.quantized.size === 0 || weights.quantized.has(linear));
    const chosen = weights.specs.filter(isChosen);
    const quantized: Quantized[] = [];
    const quantizer = new MergedQuantizer(weights, dtype, quantized);
    for (const spec of chosen) {
      quantized.push(await quantizer.#findScales(spec, signal));
      onLayer?.(quantized.length, chosen.length, spec.name);
    }
    return quantizer;
  }

  /** How each layer in four bits is quantised, by path. */
  get states(): ReadonlyMap<string, QuantState> {
    return new Map(this.#quantized.map(({ spec, state }) => [spec.linear!, state]));
  }

  /** What was lost; known when all codes were made. */
  get loss(): QuantizationLoss {
    const { error, weight, change, elements } = this.#squares;
    const root = (squares: number): number => Math.sqrt(squares / Math.max(1, elements));
    return { relativeError: error === 0 ? 0 : Math.sqrt(error / weight), error: root(error), change: root(change) };
  }

  /** The tensors of the layers in four bits; the codes come as they are asked for. */
  tensors(): NamedTensor[] {
    return this.#quantized.flatMap(({ spec: { name, shape }, state, scales, stored }): NamedTensor[] =>
      nf4Layout(name, state, {
        packed: () => this.#pack(name, shape, state, scales),
        absmax: async () => bytesOf(stored.absmax),
        nestedAbsmax: async () => bytesOf(stored.nestedAbsmax),
      }),
    );
  }

  async #findScales(spec: WeightSpec, signal: AbortSignal | undefined): Promise<Quantized> {
    const [outFeatures, inFeatures] = spec.shape as [number, number];
    const before = this.#weights.quantized.get(spec.linear!);
    const settings = {
      quantType: "nf4" as const,
      blockSize: before?.blockSize ?? 64,
      dtype: before?.dtype ?? weightDtypes[this.#dtype],
      shape: [outFeatures, inFeatures] as const,
      isTransposed: false,
      codes: before?.codes ?? nf4Codes,
    };
    const { blockSize } = settings;
    const scales = new Float32Array(Math.ceil((outFeatures * inFeatures) / blockSize));
    for (const rows of rowsInPieces(spec.shape, blockSize)) {
      signal?.throwIfAborted();
      const { values } = await this.#rounded(spec.name, rows, inFeatures, settings.dtype);
      scales.set(quantizeWeights(values, settings).absmax, (rows.from * inFeatures) / blockSize);
    }
    if (before && before.nested === undefined)
      return { spec, state: { ...settings, nested: undefined }, scales, stored: { absmax: scales, nestedAbsmax: new Float32Array() } };
    const nested = quantizeScales(scales);
    const state = { ...settings, nested: { blockSize: 256, offset: nested.offset, codes: nestedCodes() } };
    return { spec, state, scales: dequantizeScales(nested), stored: { absmax: nested.codes, nestedAbsmax: nested.absmax } };
  }

  async *#pack(name: string, shape: readonly number[], state: QuantState, scales: Float32Array): AsyncGenerator<Uint8Array> {
    const inFeatures = shape[1]!;
    const { blockSize } = state;
    for (const rows of rowsInPieces(shape, blockSize)) {
      const { values, changeSquares } = await this.#rounded(name, rows, inFeatures, state.dtype);
      const { packed } = quantizeWeights(values, state);
      const absmax = scales.subarray((rows.from * inFeatures) / blockSize);
      const again = dequantizeWeights({ packed, absmax }, { ...state, size: values.length });
      for (let index = 0; index < values.length; index++) {
        this.#squares.error += (again[index]! - values[index]!) ** 2;
        this.#squares.weight += values[index]! ** 2;
      }
      this.#squares.change += changeSquares;
      this.#squares.elements += values.length;
      yield packed;
    }
  }

  /** Merged rows in the dtype that they are quantised from. */
  async #rounded(
    name: string,
    rows: RowRange,
    inFeatures: number,
    dtype: WeightDtype,
  ): Promise<{ values: Float32Array; changeSquares: number }> {
    const { values, changeSquares } = await this.#weights.readWithChange(name, rows);
    if (dtype === "float32") return { values, changeSquares };
    const to = saveDtypes[dtype];
    const bytes = savedBytes(values, { from: "f32", to, name, first: rows.from * inFeatures });
    return { values: toFloat32(bytes, diskDtypes[to]).values, changeSquares };
  }
}

function bytesOf(values: Uint8Array | Float32Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(values.buffer as ArrayBuffer, values.byteOffset, values.byteLength);
}
