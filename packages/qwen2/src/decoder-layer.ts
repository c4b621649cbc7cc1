import { add, causalAttention, rmsNorm, rope, swiGlu, type FloatDtype, type Linear, type Tensor } from "@kto/tensor";
import type { Qwen2Config } from "./config.js";
import type { TokenBatch } from "./token-batch.js";

/** Weights of one decoder layer, named as on disk. */
export interface DecoderLayerWeights {
  inputLayernorm: Tensor;
  qProj: Linear;
  kProj: Linear;
  vProj: Linear;
  oProj: Linear;
  postAttentionLayernorm: Tensor;
  gateProj: Linear;
  upProj: Linear;
  downProj: Linear;
}

/** cos and sin of every position and frequency, [maxPositions, headDim / 2] f32. */
export interface RopeTables {
  cos: Tensor;
  sin: Tensor;
}

/**
 * One decoder layer: x + attention(norm(x)), then x + mlp(norm(x)).
 *
 * @param x  [numTokens, hiddenSize] f32, the residual stream
 * @returns  [numTokens, hiddenSize] f32
 */
export function decoderLayer(
  x: Tensor,
  weights: DecoderLayerWeights,
  config: Qwen2Config,
  batch: TokenBatch,
  tables: RopeTables,
  dtype: FloatDtype,
): Tensor {
  const { numAttentionHeads: numHeads, numKeyValueHeads, headDim, rmsNormEps: eps } = config;
  const { positions, starts, ends } = batch;

  const normed = rmsNorm(x, weights.inputLayernorm, { eps, dtype }); // [numTokens, hiddenSize]
  const q = rope(weights.qProj.forward(normed, { dtype }), positions, { headDim, ...tables }); // [numTokens, numHeads * headDim]
  const k = rope(weights.kProj.forward(normed, { dtype }), positions, { headDim, ...tables }); // [numTokens, numKeyValueHeads * headDim]
  const v = weights.vProj.forward(normed, { dtype }); // [numTokens, numKeyValueHeads * headDim]
  const attended = causalAttention(q, k, v, { numHeads, numKeyValueHeads, headDim, starts, ends, dtype }); // [numTokens, numHeads * headDim]
  const afterAttention = add(x, weights.oProj.forward(attended, { dtype: "f32" })); // [numTokens, hiddenSize] f32

  const normedAgain = rmsNorm(afterAttention, weights.postAttentionLayernorm, { eps, dtype }); // [numTokens, hiddenSize]
  const gate = weights.gateProj.forward(normedAgain, { dtype }); // [numTokens, intermediateSize]
  const up = weights.upProj.forward(normedAgain, { dtype }); // [numTokens, intermediateSize]
  return add(afterAttention, weights.downProj.forward(swiGlu(gate, up, { dtype }), { dtype: "f32" })); // [numTokens, hiddenSize] f32
}
