import {
  add,
  fewRowsLinear,
  linear,
  lowRankAhead,
  rmsNorm,
  swiGlu,
  type Columns,
  type DecodeAttend,
  type FewRowsInput,
  type FloatDtype,
  type HiddenStatesOptions,
  type LinearModule,
  type LowRankAhead,
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
  /** The layer that takes the result. */
  next?: DecoderLayer | undefined;
}

/** The residual stream, and what was multiplied with it for the layer that takes it. */
export interface Stream {
  /** [numTokens, hiddenSize] f32 */
  x: Tensor;
  ahead?: LowRankAhead | undefined;
}

type Norm = NonNullable<FewRowsInput["norm"]>;

/**
 * One decoder layer outside the tape: what `decoderLayer` computes, in six launches for the newest token of each of a few rows, ten for the tokens of prompts,
 * where the weights allow it. What adapters multiply their input with first is made where that input is, as far as those who make it can.
 */
export function decodeLayer(stream: Stream, layer: DecoderLayer, context: DecodeContext): Stream {
  const { config, tables, dtype, projected, attend, next } = context;
  const { device } = stream.x;
  const { qProj, kProj, vProj, oProj, gateProj, upProj, downProj } = layer;
  const normBy = (weight: Tensor): Norm => ({ weight, eps: config.rmsNormEps });
  const afterAttention = device.scope("attention", (): Stream => {
    const [q, k, v] = projections([qProj, kProj, vProj], stream, normBy(layer.inputLayernorm), { dtype, projected });
    const onward = lowRankAhead([oProj]);
    const attended = attend(layer.index, { q: q!, k: k!, v: v!, tables, onward }); // [numTokens, numAttentionHeads * headDim]
    return addProjection(stream.x, oProj, { x: attended, ahead: onward }, lowRankAhead([gateProj, upProj], layer.postAttentionLayernorm));
  });
  return device.scope("mlp", () => {
    const gated = gatedUp(layer, afterAttention, normBy(layer.postAttentionLayernorm), dtype); // [numTokens, intermediateSize]
    const onward = next && lowRankAhead([next.qProj, next.kProj, next.vProj], next.inputLayernorm);
    return addProjection(afterAttention.x, downProj, gated, onward);
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
  { x, ahead }: Stream,
  norm: Norm,
  { dtype, projected }: Pick<DecodeContext, "dtype" | "projected">,
): Columns[] {
  const [first, ...others] = modules;
  const together = first!.together?.(others, { x, norm, ahead, operand: dtype, dtype: projected }); // [numTokens, sum of outFeatures]
  if (together) {
    let end = 0;
    return modules.map(({ outFeatures }) => ({ tensor: together, first: (end += outFeatures) - outFeatures }));
  }
  const normed = rmsNorm(x, norm.weight, { eps: norm.eps, dtype });
  return modules.map((module) => ({ tensor: module.forward(normed, { dtype }), first: 0 }));
}

/** silu(gate) · up of a norm's output: [numTokens, intermediateSize]. */
function gatedUp({ gateProj, upProj, downProj }: DecoderLayer, { x, ahead }: Stream, norm: Norm, dtype: FloatDtype): Stream {
  const onward = lowRankAhead([downProj]);
  const together = gateProj.together?.([upProj], { x, norm, ahead, onward, swiGlu: true, operand: dtype, dtype });
  if (together) return { x: together, ahead: onward };
  const normed = rmsNorm(x, norm.weight, { eps: norm.eps, dtype });
  return { x: swiGlu(gateProj.forward(normed, { dtype }), upProj.forward(normed, { dtype }), { dtype }) };
}

/** to + the projection of x: [numTokens, hiddenSize] f32. */
function addProjection(to: Tensor, projection: LinearModule, { x, ahead }: Stream, onward: LowRankAhead | undefined): Stream {
  const together = projection.together?.([], { x, ahead, onward, addend: to, dtype: "f32" });
  return together ? { x: together, ahead: onward } : { x: add(to, projection.forward(x, { dtype: "f32" })) };
}
