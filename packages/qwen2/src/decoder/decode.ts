import {
  add,
  fewRowsLinear,
  linear,
  rmsNorm,
  swiGlu,
  type Columns,
  type DecodeAttend,
  type FewRowsInput,
  type FloatDtype,
  type HiddenStatesOptions,
  type LinearModule,
  type RopeTables,
  type Tensor,
} from "@kto/tensor";
import type { DecoderConfig } from "./config.js";
import type { DecoderLayer } from "./decoder-layer.js";

/** What a decoder layer needs outside the tape besides its input and weights. */
export interface DecodeContext {
  config: Pick<DecoderConfig, "rmsNormEps">;
  tables: RopeTables;
  /** Type of GEMM operands. */
  dtype: FloatDtype;
  /** Type of q, k and v where they are computed together. */
  projected: FloatDtype;
  attend: DecodeAttend;
}

type Norm = NonNullable<FewRowsInput["norm"]>;

/**
 * One decoder layer outside the tape: what `decoderLayer` computes, in six launches for the newest token of each of a few rows, ten for the tokens of prompts,
 * where the weights allow it.
 *
 * @param x  [numTokens, hiddenSize] f32, the residual stream
 * @returns  [numTokens, hiddenSize] f32
 */
export function decodeLayer(x: Tensor, layer: DecoderLayer, { config, tables, dtype, projected, attend }: DecodeContext): Tensor {
  const { device } = x;
  const normBy = (weight: Tensor): Norm => ({ weight, eps: config.rmsNormEps });
  const afterAttention = device.scope("attention", () => {
    const [q, k, v] = projections([layer.qProj, layer.kProj, layer.vProj], x, normBy(layer.inputLayernorm), { dtype, projected });
    const attended = attend(layer.index, { q: q!, k: k!, v: v!, tables }); // [numTokens, numAttentionHeads * headDim]
    return addProjection(x, layer.oProj, attended); // [numTokens, hiddenSize] f32
  });
  return device.scope("mlp", () => {
    const gated = gatedUp(layer, afterAttention, normBy(layer.postAttentionLayernorm), dtype); // [numTokens, intermediateSize]
    return addProjection(afterAttention, layer.downProj, gated); // [numTokens, hiddenSize] f32
  });
}

/** Attention over projections of tokens at these positions. */
export function projectedAt(
  attend: NonNullable<HiddenStatesOptions["attendProjected"]>,
  tables: RopeTables,
  positions: Tensor,
): DecodeAttend {
  return (layerIndex, inputs) => attend(layerIndex, { ...inputs, tables, positions });
}

/** Logits of a norm's output: [numRows, vocabSize] f32. */
export function decodeHead(x: Tensor, norm: Norm, head: Tensor, dtype: FloatDtype): Tensor {
  return (
    fewRowsLinear([{ weight: head }], { x, norm, operand: dtype, dtype: "f32" }) ??
    linear(rmsNorm(x, norm.weight, { eps: norm.eps, dtype }), head)
  );
}

/**
 * What these layers make of a norm's output, each as columns of a tensor: of one and the same, in dtype `projected`, where they can be computed together, else in
 * the type of operands.
 */
function projections(
  modules: readonly LinearModule[],
  x: Tensor,
  norm: Norm,
  { dtype, projected }: Pick<DecodeContext, "dtype" | "projected">,
): Columns[] {
  const [first, ...others] = modules;
  const together = first!.together?.(others, { x, norm, operand: dtype, dtype: projected }); // [numTokens, sum of outFeatures]
  if (together) {
    let end = 0;
    return modules.map(({ outFeatures }) => ({ tensor: together, first: (end += outFeatures) - outFeatures }));
  }
  const normed = rmsNorm(x, norm.weight, { eps: norm.eps, dtype });
  return modules.map((module) => ({ tensor: module.forward(normed, { dtype }), first: 0 }));
}

/** silu(gate) · up of a norm's output: [numTokens, intermediateSize]. */
function gatedUp({ gateProj, upProj }: DecoderLayer, x: Tensor, norm: Norm, dtype: FloatDtype): Tensor {
  const together = gateProj.together?.([upProj], { x, norm, swiGlu: true, operand: dtype, dtype });
  if (together) return together;
  const normed = rmsNorm(x, norm.weight, { eps: norm.eps, dtype });
  return swiGlu(gateProj.forward(normed, { dtype }), upProj.forward(normed, { dtype }), { dtype });
}

function addProjection(to: Tensor, projection: LinearModule, x: Tensor): Tensor {
  return projection.together?.([], { x, addend: to, dtype: "f32" }) ?? add(to, projection.forward(x, { dtype: "f32" }));
}
