import type { WeightDtype } from "./weight-dtype.js";

/** The second quantisation, of the scales. */
export interface NestedState {
  /** Scales in a block: 256. */
  readonly blockSize: number;
  /** Added to every scale; an f32. */
  readonly offset: number;
  /** 256 ascending f32. */
  readonly codes: Float32Array;
}

/** What a checkpoint says of one four-bit weight, apart from its codes and scales. */
export interface QuantState {
  readonly quantType: "nf4";
  /** Weights that share a scale, over the flat matrix: a power of two from 32 to 4096. */
  readonly blockSize: number;
  /** Dtype of the weight that was quantised; what it is dequantised to. */
  readonly dtype: WeightDtype;
  /** [out, in]; [in, out] in old files that store the transposed matrix. */
  readonly shape: readonly [number, number];
  /** The matrix was stored as [in, out]. */
  readonly isTransposed: boolean;
  /** 16 ascending f32. */
  readonly codes: Float32Array;
  /** Undefined if the scales are stored in f32. */
  readonly nested: NestedState | undefined;
}
