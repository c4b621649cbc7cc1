import { DtypeError } from "@kto/core";
import { ShapeError, sizeOf, type Device, type Tensor, type TensorSpace } from "@kto/tensor";
import { nf4Codes } from "./host/code-table.js";
import { defaultBlockSize } from "./host/quantize-weights.js";
import { nestedBlockSize, nestedCodes, quantizeScales } from "./host/scales.js";
import { quantizeKernel } from "./kernels/quantize-nf4.wgsl.js";
import { Nf4Weight } from "./nf4-weight.js";
import type { QuantState } from "./quant-state.js";
import { tablesOf } from "./tables.js";
import { weightByteSize, type WeightDtype } from "./weight-dtype.js";

/** Most bytes of a weight that are on the device in full at a time. */
const pieceBytes = 4 * 2 ** 20;

/** Bytes after which the host waits for the device, or a fast disk would fill the driver's memory with pieces. */
const bytesInFlight = 16 * 2 ** 20;

/** What to quantise, and how. */
export interface QuantizeNf4Options {
  /** [out, in] */
  shape: readonly [outFeatures: number, inFeatures: number];
  /** Dtype of the bytes, and the one that the weight is dequantised to. */
  dtype: WeightDtype;
  /** Quantise the scales as well (`bnb_4bit_use_double_quant`). */
  doubleQuant: boolean;
  /** The elements, little-endian and dense, in pieces of any size. */
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
  label: string;
  /** Where small tensors of the weight end up; by default each has a buffer of its own. */
  slabs?: TensorSpace;
  signal?: AbortSignal;
}

/**
 * Quantises a weight on the device while it arrives: codes and scales are those of `quantizeWeights` and `quantizeScales`, bit for bit. Never holds more
 * than 4 MiB of it in full, here or there. Throws DtypeError naming the first NaN or infinity, ShapeError when the bytes are too few or too many.
 */
export async function quantizeNf4(
  device: Device,
  { shape, dtype, doubleQuant, chunks, label, slabs, signal }: QuantizeNf4Options,
): Promise<Nf4Weight> {
  const state = { codes: nf4Codes, blockSize: defaultBlockSize, dtype, shape };
  const quantizer = new BlockQuantizer(device, state, label);
  try {
    let untilWait = bytesInFlight;
    for await (const chunk of chunks) {
      signal?.throwIfAborted();
      quantizer.add(chunk);
      untilWait -= chunk.byteLength;
      if (untilWait > 0) continue;
      await device.sync();
      untilWait = bytesInFlight;
    }
    quantizer.addRest();
    return await quantizer.finish({ doubleQuant, slabs });
  } finally {
    quantizer.dispose();
  }
}

/** Quantises f32 values on the device with the settings of a weight: they are rounded to its dtype first. Throws DtypeError as `quantizeNf4`. */
export async function requantize(weight: Nf4Weight, values: Tensor): Promise<Nf4Weight> {
  const { device, shape, label, state } = weight;
  const quantizer = new BlockQuantizer(device, { ...state, shape }, label);
  try {
    quantizer.addTensor(values);
    return await quantizer.finish({ doubleQuant: state.nested !== undefined });
  } finally {
    quantizer.dispose();
  }
}

type Settings = Pick<QuantState, "codes" | "blockSize" | "dtype" | "shape">;

/** Codes and f32 scales of a weight that comes in pieces. */
class BlockQuantizer implements Disposable {
  readonly #device: Device;
  readonly #settings: Settings;
  readonly #label: string;
  readonly #made: Tensor[] = [];
  readonly #codes: Tensor;
  readonly #absmax: Tensor;
  readonly #tables: Tensor;
  /** A piece of the weight; made when the first one comes. */
  #piece: Tensor | undefined;
  /** Bytes of a block that is not complete. */
  readonly #rest: Uint8Array<ArrayBuffer>;
  #restLength = 0;
  #bytes = 0;
  #blocks = 0;

  constructor(device: Device, settings: Settings, label: string) {
    this.#device = device;
    this.#settings = settings;
    this.#label = label;
    const numElements = sizeOf(settings.shape);
    this.#rest = new Uint8Array(settings.blockSize * weightByteSize(settings.dtype));
    this.#codes = this.#make(Math.ceil(numElements / 8), "u32", "codes");
    this.#absmax = this.#make(Math.ceil(numElements / settings.blockSize), "f32", "absmax");
    this.#tables = this.#make(288, "f32", "tables");
    device.writeBytes(
      this.#tables,
      tablesOf({ codes: settings.codes, nested: { blockSize: nestedBlockSize, offset: 0, codes: nestedCodes() } }),
    );
  }

  /** Quantises the whole blocks that `bytes` completes; the rest waits. */
  add(bytes: Uint8Array): void {
    this.#bytes += bytes.byteLength;
    if (this.#bytes > this.#expectedBytes) this.#failLength();
    const blockBytes = this.#rest.byteLength;
    let at = 0;
    if (this.#restLength > 0) {
      at = Math.min(blockBytes - this.#restLength, bytes.byteLength);
      this.#rest.set(bytes.subarray(0, at), this.#restLength);
      this.#restLength += at;
      if (this.#restLength === blockBytes) this.addRest();
    }
    while (bytes.byteLength - at >= blockBytes) {
      const size = Math.floor(Math.min(pieceBytes, bytes.byteLength - at) / blockBytes) * blockBytes;
      this.#quantizePiece(bytes.subarray(at, at + size));
      at += size;
    }
    if (at < bytes.byteLength) {
      this.#rest.set(bytes.subarray(at));
      this.#restLength = bytes.byteLength - at;
    }
  }

  /** Quantises the block that is waiting, complete or not. */
  addRest(): void {
    if (this.#restLength > 0) this.#quantizePiece(this.#rest.subarray(0, this.#restLength));
    this.#restLength = 0;
  }

  /** Quantises everything at once from f32 values, rounded to the weight's dtype. */
  addTensor(values: Tensor): void {
    this.#bytes = this.#expectedBytes;
    this.#run(values, values.size, "float32");
  }

  /** Waits for the scales, checks them, and quantises them too if asked. */
  async finish({ doubleQuant, slabs }: { doubleQuant: boolean; slabs?: TensorSpace | undefined }): Promise<Nf4Weight> {
    if (this.#bytes !== this.#expectedBytes) this.#failLength();
    const device = this.#device;
    const { codes, blockSize, dtype, shape } = this.#settings;
    const scales = new Float32Array((await device.readBytes(this.#absmax)).buffer);
    this.#expectFinite(scales);
    const state: QuantState = { quantType: "nf4", blockSize, dtype, shape, isTransposed: false, codes, nested: undefined };
    if (!doubleQuant) return this.#release(state, this.#absmax, undefined, slabs);
    const quantized = quantizeScales(scales);
    const absmax = this.#make(Math.ceil(scales.length / 4), "u32", "absmax");
    const nestedAbsmax = this.#make(quantized.absmax.length, "f32", "nested_absmax");
    device.writeBytes(absmax, quantized.codes);
    device.writeBytes(nestedAbsmax, new Uint8Array(quantized.absmax.buffer));
    const nested = { blockSize: nestedBlockSize, offset: quantized.offset, codes: nestedCodes() };
    return this.#release({ ...state, nested }, absmax, nestedAbsmax, slabs);
  }

  /** Frees what no weight has taken over. */
  dispose(): void {
    for (const tensor of this.#made) tensor.dispose();
    this.#made.length = 0;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  get #expectedBytes(): number {
    return sizeOf(this.#settings.shape) * weightByteSize(this.#settings.dtype);
  }

  #make(size: number, dtype: "u32" | "f32", name: string): Tensor {
    const tensor = this.#device.unscoped(() => this.#device.empty([size], dtype, `${this.#label} ${name}`));
    this.#made.push(tensor);
    return tensor;
  }

  #quantizePiece(bytes: Uint8Array): void {
    const blockBytes = this.#rest.byteLength;
    const most = Math.min(pieceBytes, Math.ceil(this.#expectedBytes / blockBytes) * blockBytes);
    this.#piece ??= this.#make(most / 4, "u32", "piece");
    this.#device.writeBytes(this.#piece, bytes.byteLength % 4 === 0 ? bytes : Uint8Array.of(...bytes, 0, 0));
    this.#run(this.#piece, bytes.byteLength / weightByteSize(this.#settings.dtype), this.#settings.dtype);
  }

  #run(source: Tensor, size: number, sourceType: WeightDtype): void {
    const { blockSize, dtype } = this.#settings;
    quantizeKernel.run(
      this.#device,
      { source, tables: this.#tables, codes: this.#codes, absmax: this.#absmax },
      { size, blockShift: Math.log2(blockSize), firstBlock: this.#blocks },
      { sourceType, weightType: dtype },
    );
    this.#blocks += Math.ceil(size / blockSize);
  }

  /** As many of them as the weight's kernels read. */
  #tablesIn(slabs: TensorSpace, state: QuantState): Tensor {
    const bytes = tablesOf(state);
    const tables = slabs.empty([bytes.byteLength / 4], "f32", this.#tables.label);
    this.#device.writeBytes(tables, bytes);
    return tables;
  }

  #release(state: QuantState, absmax: Tensor, nestedAbsmax: Tensor | undefined, slabs: TensorSpace | undefined): Nf4Weight {
    // The kernel could not write codes into a slab from which it reads tables, so they come there as copies.
    const settled = (tensor: Tensor): Tensor => {
      if (!slabs?.shares(tensor.byteLength)) return tensor;
      const copy = slabs.empty(tensor.shape, tensor.dtype, tensor.label);
      this.#device.copyInto(copy, tensor);
      return copy;
    };
    const taken = {
      codes: settled(this.#codes),
      absmax: settled(absmax),
      nestedAbsmax: nestedAbsmax && settled(nestedAbsmax),
      tables: slabs ? this.#tablesIn(slabs, state) : this.#tables,
    };
    const kept = new Set<Tensor | undefined>(Object.values(taken));
    for (const tensor of this.#made) if (!kept.has(tensor)) tensor.dispose();
    this.#made.length = 0;
    return new Nf4Weight(this.#device, state, taken, this.#label);
  }

  #expectFinite(scales: Float32Array<ArrayBuffer>): void {
    const block = scales.findIndex((scale) => !Number.isFinite(scale));
    if (block < 0) return;
    const { blockSize, shape } = this.#settings;
    const index = block * blockSize + (new Uint32Array(scales.buffer)[block]! & 0x3fffff);
    throw new DtypeError(
      `quantize: ${this.#label}: element ${index} of [${shape.join(", ")}] is NaN or infinite; expected finite weights; repair the checkpoint`,
    );
  }

  #failLength(): never {
    const { shape, dtype } = this.#settings;
    throw new ShapeError(
      `quantize: ${this.#label}: expected ${this.#expectedBytes} bytes of ${dtype} [${shape.join(", ")}], got ${this.#bytes > this.#expectedBytes ? "more" : this.#bytes}`,
    );
  }
}
