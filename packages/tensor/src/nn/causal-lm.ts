import type { Device } from "../device/device.js";
import type { FloatDtype } from "../dtype.js";
import type { SegmentBounds } from "../ops/causal-attention.js";
import type { Prefix } from "../ops/prefix-bounds.js";
import type { DecodeInputs } from "../ops/decode-attention.js";
import type { ProjectedTokens } from "../ops/rotate-rows.js";
import type { LinearLogProbs, LogProbsMetrics } from "../ops/linear-log-probs.js";
import type { GradientRows, Tensor } from "../tensor.js";
import type { ModuleTree } from "./module-tree.js";
import type { TrainableWeights } from "./trainable-weights.js";

/** Rows of tokens one after another, without padding. Which tokens belong together is data: token t attends to tokens starts[t] to t, but for those in its gap. */
export interface TokenBatch extends SegmentBounds {
  /** [numTokens] u32; it says which tokens take gradients */
  readonly inputIds: Tensor;
  /** The same on the host, where it is known there. */
  readonly ids?: Uint32Array | undefined;
  /** [numTokens] u32, position within the row */
  readonly positions: Tensor;
  /** Tokens of each row. */
  readonly rowLengths: readonly number[];
  /** Position of the first token of each row: 0 but where a row goes on from what a cache holds, or from another row. */
  readonly firstPositions: readonly number[];
  /** Where the longest row ends, at least: what position scalings that depend on the length of a batch go by. */
  readonly longestRow: number;
}

/** Options of `CausalLM.packRows`. */
export interface PackRowsOptions {
  /** Position of the first token of each row; default 0, and after a prefix the position that follows it. */
  firstPositions?: readonly number[] | undefined;
  /** For each row the first tokens of an earlier one that it goes on from, as if they were its own; see `prefixBounds`. Default none. */
  prefixes?: readonly (Prefix | undefined)[] | undefined;
  /** Length of the longest row of the whole batch, where these rows are a part of it; default that of the longest here. */
  longestRow?: number | undefined;
  /** Tokens to make room for, in the batch and in all that is computed from it: see `Device.rowsLike`. */
  rowCapacity?: number | undefined;
  /** The first tokens of the batch, if only these take gradients: what is computed of the others is a constant, see `withGradientRows`. Default all. */
  gradientTokens?: GradientRows | undefined;
}

/**
 * Attention of one decoder layer.
 *
 * @param q     [numTokens, numAttentionHeads · headDim], rotated
 * @param k, v  [numTokens, numKeyValueHeads · headDim], k rotated; freed when the layer has run, unless kept (`device.unscoped(() => k.detach())`)
 * @returns     [numTokens, numAttentionHeads · headDim] in the model's dtype
 */
export type Attend = (layerIndex: number, q: Tensor, k: Tensor, v: Tensor) => Tensor;

/** Heads of an attention: consecutive query heads share a key head. */
export interface AttentionHeads {
  readonly numHeads: number;
  /** Divides numHeads. */
  readonly numKeyValueHeads: number;
  readonly headDim: number;
}

/** Options of `CausalLM.hiddenStates`. */
export interface HiddenStatesOptions {
  /** Run decoder layers again in the backward pass instead of keeping their activations: all, none (the default), or the first so many. */
  gradientCheckpointing?: boolean | number | undefined;
  /**
   * In place of causal attention within the rows of the batch: attention over a cache, for example. What it closes over must live until a checkpointed layer has
   * been run again, which is done for the tokens that take gradients alone.
   */
  attend?: Attend | undefined;
  /**
   * The same for models that have `decode`, outside the tape: it rotates q and k itself, so that a model may compute the projections together. Result as of
   * `Attend`.
   */
  attendProjected?: ((layerIndex: number, inputs: ProjectedTokens) => Tensor) | undefined;
}

/** Attention of one decoder layer for the newest token of each row: see `decodeAttention`. The result is [numRows, numAttentionHeads · headDim] in the model's dtype. */
export type DecodeAttend = (layerIndex: number, inputs: DecodeInputs) => Tensor;

/** The newest token of each of a few rows, whose earlier ones a cache holds. */
export interface DecodeStep {
  /** [numRows] u32 */
  inputIds: Tensor;
  /** Tokens that a row of these may come to, the newest included. */
  maxLength: number;
  attend: DecodeAttend;
}

/**
 * A language model as trainers and generation see it: rows in, hidden states, log-probabilities and logits out. Whoever trains multiplies with no weight
 * of it, so that a head may be tied, quantised or adapted. `@kto/qwen2` makes such objects, and any other of this shape will do.
 */
export interface CausalLM extends ModuleTree {
  readonly device: Device;
  /** Type of GEMM operands. */
  readonly dtype: FloatDtype;
  readonly vocabSize: number;
  /** Number of parameters, a tied head counted once. */
  readonly numParameters: number;
  /** The same without the input embedding: what transformers counts for `total_flos`. */
  readonly numNonEmbeddingParameters: number;
  /** How many layers `gradientCheckpointing` counts, and `attend` is called for. */
  readonly numHiddenLayers: number;
  /** Heads of every layer's attention: what a cache of keys needs to know. */
  readonly attentionHeads: AttentionHeads;
  /** Tokens that a row may have at most. */
  readonly maxPositionEmbeddings: number;
  /** All weights, where the model was made so that every one of them can be trained; undefined where only adapters can. */
  readonly trainable?: TrainableWeights | undefined;
  /** Bytes that models of other weights, or that compute otherwise with them, do not have, adapters left aside: what was kept of one model is known by them. */
  fingerprint?(): Promise<Uint8Array>;
  /**
   * Names the rotary frequencies of a pass whose longest row has so many tokens: rows of one name may share a pass. A model without it rotates rows of every
   * length alike.
   */
  frequenciesName?(rowLength: number): number;
  /** Makes ahead of time what forward passes of rows up to this many tokens need and keep. */
  prepare?(maxRowLength: number): void;
  /**
   * Takes the matrix that looks tokens up off the device and keeps it on the host: batches then bring the rows of their tokens along, with the same bits. What needs all of it there, as
   * `decode` does, brings it back, until this is called again. Throws CapabilityError for a model whose head is the same matrix, or one that was loaded so that every weight can be trained.
   */
  offloadEmbedding?(): Promise<void>;
  packRows(rows: readonly ArrayLike<number>[], options?: PackRowsOptions): TokenBatch;
  /** The decoder's output after the final norm, [numTokens, hiddenSize] in the model's dtype. */
  hiddenStates(batch: TokenBatch, options?: HiddenStatesOptions): Tensor;
  /**
   * log softmax(logits)[label] of each token, without building the logits; see `linearLogProbs`.
   *
   * @param hidden  [numTokens, hiddenSize], rows of what `hiddenStates` gave
   * @param labels  [numTokens] u32, each below vocabSize
   */
  logProbs(hidden: Tensor, labels: Tensor, options?: LogProbsMetrics): LinearLogProbs;
  /** Makes ahead of time what `decode` of rows up to this many tokens needs and keeps. */
  prepareDecode?(maxLength: number): void;
  /**
   * The logits of the newest token of each row, [numRows, vocabSize] f32, in as few launches as the model can: what `hiddenStates` and `logits` give, without the
   * tape. Records the same whatever the lengths of the rows, and writes nothing from the host once `prepareDecode(maxLength)` has run, so that `Device.capture` can take
   * it down. A model without it is asked through `hiddenStates`.
   */
  decode?(step: DecodeStep): Tensor;
  /** All logits of rows of hidden states, [numTokens, vocabSize] f32: for sampling and small inputs. */
  logits(hidden: Tensor): Tensor;
}
