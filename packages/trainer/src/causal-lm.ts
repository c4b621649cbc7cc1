import type { Device, FloatDtype, Tensor } from "@kto/tensor";
import type { AdaptableModel } from "@kto/lora";

/** Rows of tokens one after another on the device; what `packRows` of a model gives. */
export interface TokenBatch {
  readonly inputIds: Tensor;
  readonly rowLengths: readonly number[];
}

/** What the trainer needs of a language model. `@kto/qwen2` makes such objects, and any other of this shape will do. */
export interface CausalLM extends AdaptableModel {
  readonly device: Device;
  /** Type of GEMM operands. */
  readonly dtype: FloatDtype;
  readonly vocabSize: number;
  /** [vocabSize, hiddenSize], the output head. */
  readonly lmHead: Tensor;
  readonly numParameters: number;
  /** How many layers `gradientCheckpointing` counts. */
  readonly numHiddenLayers: number;
  /** Makes ahead of time what forward passes of rows up to this many tokens need and keep. */
  prepare?(maxRowLength: number): void;
  packRows(rows: readonly ArrayLike<number>[]): TokenBatch;
  /** The decoder's output after the final norm, [numTokens, hiddenSize]. Layers to run again in the backward pass: all, none (the default), or the first so many. */
  hiddenStates(batch: TokenBatch, options?: { gradientCheckpointing?: boolean | number }): Tensor;
}
