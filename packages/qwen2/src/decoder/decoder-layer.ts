import {
  add,
  forwardEach,
  rmsNorm,
  rope,
  swiGlu,
  type Attend,
  type FloatDtype,
  type LinearModule,
  type OntoOptions,
  type RopeTables,
  type Tensor,
} from "@kto/tensor";
import type { DecoderConfig } from "./config.js";

/** One decoder layer: its weights, named as on disk, and its place. */
export interface DecoderLayer {
  /** Counted from 0. */
  index: number;
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

/** What a decoder layer needs besides its input and weights. */
export interface DecoderLayerContext {
  config: Pick<DecoderConfig, "headDim" | "rmsNormEps">;
  /** [numTokens] u32, position of each token within its row */
  positions: Tensor;
  tables: RopeTables;
  /** Type of GEMM operands. */
  dtype: FloatDtype;
  /** Where the queries of this layer find their keys: within the batch while training, in a cache while generating. */
  attend: Attend;
  /** False where the layer is run again for its gradients, and the result is wanted for its place on the tape alone: its last product is then left out. Default true. */
  isRead?: boolean | undefined;
}

/**
 * One decoder layer: x + attention(norm(x)), then x + mlp(norm(x)).
 *
 * @param x  [numTokens, hiddenSize] f32, the residual stream
 * @returns  [numTokens, hiddenSize] f32
 */
export function decoderLayer(x: Tensor, layer: DecoderLayer, context: DecoderLayerContext): Tensor {
  const { config, positions, tables, dtype, attend, isRead } = context;
  const { device } = x;
  const { headDim, rmsNormEps: eps } = config;
  // A scope each, so that what nothing saves (the accumulator under an adapter, a projection before its rotation) is free for the next step.
  const rotate = (projected: Tensor): Tensor => rope(projected, positions, { headDim, ...tables });
  const addProjection = (to: Tensor, projection: LinearModule, input: Tensor, options?: OntoOptions): Tensor =>
    device.scope("projection", () => projection.forwardOnto?.(to, input, options) ?? add(to, projection.forward(input, { dtype: "f32" })));

  const afterAttention = device.scope("attention", () => {
    const normed = rmsNorm(x, layer.inputLayernorm, { eps, dtype }); // [numTokens, hiddenSize]
    const [q, k, v] = device.scope("projections", () => {
      const [queries, keys, values] = forwardEach([layer.qProj, layer.kProj, layer.vProj], normed, { dtype }) as [Tensor, Tensor, Tensor];
      return [rotate(queries), rotate(keys), values] as const;
    }); // [numTokens, numAttentionHeads * headDim], [numTokens, numKeyValueHeads * headDim] twice
    const attended = attend(layer.index, q, k, v); // [numTokens, numAttentionHeads * headDim]
    return addProjection(x, layer.oProj, attended); // [numTokens, hiddenSize] f32
  });

  return device.scope("mlp", () => {
    const normed = rmsNorm(afterAttention, layer.postAttentionLayernorm, { eps, dtype }); // [numTokens, hiddenSize]
    const [gate, up] = forwardEach([layer.gateProj, layer.upProj], normed, { dtype }) as [Tensor, Tensor]; // [numTokens, intermediateSize]
    const activated = swiGlu(gate, up, { dtype }); // [numTokens, intermediateSize]
    for (const tensor of [gate, up]) tensor.dispose(); // the widest there are: what the tape needs of them is held there
    return addProjection(afterAttention, layer.downProj, activated, { isRead }); // [numTokens, hiddenSize] f32
  });
}
