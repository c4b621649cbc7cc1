import type { FloatDtype, Gemm, Tensor } from "@kto/tensor";
import { expandEightsKernel } from "../kernels/expand-nf4-eights.wgsl.js";
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

/** Whether `expandEights` can write a matrix: 64 weights of a row have one scale, and lie one after another. */
export function expandsEights({ state, shape }: Nf4Weight): boolean {
  return !state.isTransposed && state.blockSize % 64 === 0 && shape[1] % 64 === 0;
}

/** The matrix in full in f16, [in / 8, out, 8], in the current scope: for products with x, whose depth is `in`. Where `expandsEights`. */
export function expandEights(weight: Nf4Weight): Tensor {
  const { device, shape, state, label } = weight;
  const [numRows, numCols] = shape;
  const w = device.empty([numCols / 8, numRows, 8], "f16", `${label} in full`);
  const { bindings, params, spec } = decodeArguments(weight);
  expandEightsKernel.run(device, { ...bindings, w }, { ...params, numRows, numCols, ...exactScales(state.codes) }, spec);
  return w;
}

/** The matrix in full in f16 as the b of x · Wᵀ where that `pipelines`, in the current scope. */
export function productOperand(weight: Nf4Weight): Pick<Gemm, "b" | "transposeB" | "inEights"> {
  return expandsEights(weight) ? { b: expandEights(weight), inEights: true } : { b: expandNf4(weight, "f16"), transposeB: true };
}

/** Scales with which no code but 0 leaves [2⁻¹³, 2¹⁴] in magnitude. */
function exactScales(codes: Float32Array): { exactFrom: number; exactTo: number } {
  const sizes = Array.from(codes, Math.abs).filter((size) => size > 0);
  return { exactFrom: 2 ** -13 / Math.min(...sizes), exactTo: 2 ** 14 / Math.max(...sizes) };
}
