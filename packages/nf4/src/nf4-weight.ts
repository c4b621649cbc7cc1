import { sizeOf, type Device, type FloatDtype, type Tensor } from "@kto/tensor";
import type { QuantState } from "./quant-state.js";
import { expandNf4 } from "./ops/expand.js";

/** The tensors of a four-bit weight on the device. */
export interface Nf4Tensors {
  /** [ceil(n / 8)] u32: the bytes of the checkpoint, eight codes a word. */
  codes: Tensor;
  /** The scales: [ceil(nb / 4)] u32, four 8-bit codes a word, or [nb] f32. */
  absmax: Tensor;
  /** [ceil(nb / 256)] f32, undefined with f32 scales. */
  nestedAbsmax: Tensor | undefined;
  /** [32] or [288] f32: 16 codes, 15 thresholds and a zero, and 256 codes of the scales. */
  tables: Tensor;
}

/**
 * A frozen matrix in four bits, as large on the device as in a file: W[i] = T(codes[code_i] · absmax[i / blockSize]), T the dtype it was quantised from.
 * Owns its tensors; the model that loads it disposes it.
 */
export class Nf4Weight implements Disposable {
  readonly device: Device;
  readonly label: string;
  #state: QuantState;
  #tensors: Nf4Tensors;

  /** Takes over the tensors. Use `loadNf4Weight` or `quantizeNf4`. */
  constructor(device: Device, state: QuantState, tensors: Nf4Tensors, label: string) {
    this.device = device;
    this.label = label;
    this.#state = state;
    this.#tensors = tensors;
  }

  /** Everything of the weight that is not on the device. */
  get state(): QuantState {
    return this.#state;
  }

  get tensors(): Readonly<Nf4Tensors> {
    return this.#tensors;
  }

  /** [out, in], whichever way it is stored. */
  get shape(): readonly [outFeatures: number, inFeatures: number] {
    const [rows, cols] = this.#state.shape;
    return this.#state.isTransposed ? [cols, rows] : [rows, cols];
  }

  get numElements(): number {
    return sizeOf(this.#state.shape);
  }

  /** Bytes on the device. */
  get byteLength(): number {
    return this.#all().reduce((total, tensor) => total + tensor.byteLength, 0);
  }

  get isDisposed(): boolean {
    return this.#tensors.codes.isDisposed;
  }

  /** The matrix in full, [out, in], in the current scope: each element rounded once to its own dtype, and from there to `dtype`. Off the tape. */
  dequantize(dtype: FloatDtype): Tensor {
    return expandNf4(this, dtype);
  }

  /** Becomes `other`, which must not be used afterwards; frees what it was. */
  become(other: Nf4Weight): void {
    this.dispose();
    this.#state = other.#state;
    this.#tensors = other.#tensors;
  }

  dispose(): void {
    for (const tensor of this.#all()) tensor.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #all(): Tensor[] {
    const { codes, absmax, nestedAbsmax, tables } = this.#tensors;
    return [codes, absmax, tables, ...(nestedAbsmax ? [nestedAbsmax] : [])];
  }
}
