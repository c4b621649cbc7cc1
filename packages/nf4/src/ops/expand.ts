import type { FloatDtype, Tensor } from "@kto/tensor";
import { expandKernel } from "../kernels/expand-nf4.wgsl.js";
import type { DecodeBinding, DecodeParam, DecodeSpec } from "../kernels/lib/decode.js";
import type { Nf4Weight } from "../nf4-weight.js";

/** What every kernel that reads packed codes gets of a weight. */
export function decodeArguments({ state, tensors }: Nf4Weight): {
  bindings: Record<DecodeBinding, Tensor>;
  params: Record<DecodeParam, number>;
  spec: Pick<DecodeSpec, "weightType" | "nested">;
} {
  const { codes, absmax, nestedAbsmax, tables } = tensors;
  return {
    bindings: { codes, absmax, nestedAbsmax: nestedAbsmax ?? tables, tables },
    params: { blockShift: Math.log2(state.blockSize), offset: state.nested?.offset ?? 0, zero: 0 },
    spec: { weightType: state.dtype, nested: state.nested !== undefined },
  };
}

/** The matrix in full, [out, in], in the current scope. */
export function expandNf4(weight: Nf4Weight, dtype: FloatDtype): Tensor {
  const { device, shape, numElements, state, label } = weight;
  const w = device.empty(shape, dtype, `${label} in full`);
  const { bindings, params, spec } = decodeArguments(weight);
  const transposed = state.isTransposed;
  expandKernel.run(
    device,
    { ...bindings, w },
    { ...params, size: numElements, numCols: shape[1], ...exactScales(state.codes) },
    { ...spec, half: dtype === "f16", transposed, aligned: !transposed && numElements % 8 === 0 },
  );
  return w;
}

/** Scales with which no code but 0 leaves [2⁻¹³, 2¹⁴] in magnitude. */
function exactScales(codes: Float32Array): { exactFrom: number; exactTo: number } {
  const sizes = Array.from(codes, Math.abs).filter((size) => size > 0);
  return { exactFrom: 2 ** -13 / Math.min(...sizes), exactTo: 2 ** 14 / Math.max(...sizes) };
}
