import { add, causalAttention, rmsNorm, rope, swiGlu, type FloatDtype, type LinearModule, type Tensor } from "@kto/tensor";
import type { Qwen2Config } from "./config.js";
import type { TokenBatch } from "./token-batch.js";

/** Weights of one decoder layer, named as on disk. */
export interface DecoderLayerWeights {
  inputLayernorm: Tensor;
  qProj: LinearModule;
  kProj: LinearModule;
  vProj: LinearModule;
  oProj: LinearModule;
  postAttentionLayernorm: Tensor;
  gateProj: LinearModule;
  upProj: LinearModule;
  downProj: LinearModule;
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
  const { device } = x;
  const { numAttentionHeads: numHeads, numKeyValueHeads, headDim, rmsNormEps: eps } = config;
  const { positions, starts, ends } = batch;
  // A scope each, so that what nothing saves (the accumulator under an adapter, a projection before its rotation) is free for the next step.
  const project = (projection: LinearModule, input: Tensor): Tensor =>
    device.scope("projection", () => projection.forward(input, { dtype }));
  const rotate = (projection: LinearModule, input: Tensor): Tensor =>
    device.scope("projection", () => rope(projection.forward(input, { dtype }), positions, { headDim, ...tables }));
  const addProjection = (to: Tensor, projection: LinearModule, input: Tensor): Tensor =>
    device.scope("projection", () => add(to, projection.forward(input, { dtype: "f32" })));

  const afterAttention = device.scope("attention", () => {
    const normed = rmsNorm(x, weights.inputLayernorm, { eps, dtype }); // [numTokens, hiddenSize]
    const q = rotate(weights.qProj, normed); // [numTokens, numHeads * headDim]
    const k = rotate(weights.kProj, normed); // [numTokens, numKeyValueHeads * headDim]
    const v = project(weights.vProj, normed); // [numTokens, numKeyValueHeads * headDim]
    const attended = causalAttention(q, k, v, { numHeads, numKeyValueHeads, headDim, starts, ends, dtype }); // [numTokens, numHeads * headDim]
    return addProjection(x, weights.oProj, attended); // [numTokens, hiddenSize] f32
  });

  return device.scope("mlp", () => {
    const normed = rmsNorm(afterAttention, weights.postAttentionLayernorm, { eps, dtype }); // [numTokens, hiddenSize]
    const gate = project(weights.gateProj, normed); // [numTokens, intermediateSize]
    const up = project(weights.upProj, normed); // [numTokens, intermediateSize]
    return addProjection(afterAttention, weights.downProj, swiGlu(gate, up, { dtype })); // [numTokens, hiddenSize] f32
  });
}
