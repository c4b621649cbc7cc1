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
  packRows(rows: readonly ArrayLike<number>[]): TokenBatch;
  /** The decoder's output after the final norm, [numTokens, hiddenSize]. */
  hiddenStates(batch: TokenBatch, options?: { gradientCheckpointing?: boolean }): Tensor;
}
