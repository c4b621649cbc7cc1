import type { FloatDtype } from "../dtype.js";
import { plainResult } from "../kernels/lib/few-rows-result.js";
import { manyRowsResultKernel } from "../kernels/many-rows-result.wgsl.js";
import type { Tensor } from "../tensor.js";
import { columnsOf, type FewRowsInput, type FewRowsLayout, type FewRowsSize, type SharedBuffer } from "./few-rows-layout.js";
import { fewRowsParams, lowRankOf } from "./few-rows-launch.js";
import { gemm, gemmParts } from "./gemm.js";
import { rmsNorm } from "./rms-norm.js";

/** Depth of a part of a product that has a long one: without parts a prompt of a hundred tokens has too few tiles to keep a GPU busy. */
const depthOfPart = 2048;

/**
 * `fewRowsLinear` for more rows, from matrices that lie one after another: a launch for the norm, one for the product, one for what comes after it where that is
 * not the product's own, and one for the a of low-rank updates. Not on the tape.
 *
 * @param weights  [sum of n, k]
 */
export function manyRowsLinear(parts: readonly FewRowsSize[], weights: Tensor, input: FewRowsInput, layout: FewRowsLayout): Tensor {
  const { x, norm, addend, swiGlu = false, dtype } = input;
  const [m, k] = [x.shape[0]!, x.shape[1]!];
  const { device } = x;
  const columns = columnsOf(parts);
  const operand = weights.dtype as FloatDtype;
  const a = norm ? rmsNorm(x, norm.weight, { eps: norm.eps, dtype: operand }) : x; // [m, k]
  const n = swiGlu ? parts[0]!.outFeatures : columns;
  const y = device.rowsLike(x, [m, n], dtype, "linear");
  const { biases } = layout;
  const isPlain =
    !swiGlu &&
    !layout.b &&
    (!biases ||
      isJoined(
        parts.map((part) => part.bias),
        biases,
      ));
  const splits = splitsOf(columns, k);
  const product = { a, b: weights, m, n: columns, k, transposeB: true, isRowwise: true };
  if (splits === 1 && isPlain) {
    gemm({ ...product, c: y, bias: biases?.whole, addend });
    return y;
  }
  const h = lowRankOf(layout, input);
  const sums = gemmParts({ ...product, splits, dtype: splits === 1 && swiGlu && !h ? operand : "f32" }); // [splits, m, columns]
  manyRowsResultKernel.run(
    device,
    { parts: sums, bias: biases?.whole ?? x, addend: addend ?? x, h: h ?? x, b: layout.b?.whole ?? x, y },
    { m, k, n, splits: sums.shape[0]!, ...fewRowsParams(parts, layout), weight0: 0, weight1: 0, weight2: 0 },
    {
      ...plainResult,
      partsType: sums.dtype as FloatDtype,
      dtype,
      hasNorm: false,
      hasBias: biases !== undefined,
      hasAddend: addend !== undefined,
      hasLowRank: layout.b !== undefined,
      swiGlu,
    },
  );
  sums.dispose();
  return y;
}

/** Parts that the depth of a product is summed in. Depends on the matrix alone, so that a row's sums are the same whatever rows are beside it. */
function splitsOf(n: number, k: number): number {
  return k >= 2 * n ? Math.max(1, Math.min(8, Math.floor(k / depthOfPart))) : 1;
}

/** Whether each of these tensors of a buffer begins where the one before it ends. */
export function isJoined(tensors: readonly (Tensor | undefined)[], { starts }: SharedBuffer): boolean {
  let end = 0;
  return tensors.every((tensor, index) => starts[index] === (end += tensor!.size) - tensor!.size);
}
