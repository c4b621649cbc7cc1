import { defineOp, type Op } from "../autograd/define-op.js";
import type { FloatDtype } from "../dtype.js";
import type { Tensor } from "../tensor.js";
import { cast } from "./cast.js";
import { gemm, type Gemm, type Peaks } from "./gemm.js";
import { emptyPeaks, skinnyProduct } from "./skinny-product.js";
import { sumColumns } from "./sum-columns.js";

/** A frozen matrix W [outFeatures, inFeatures] as the b of products, whatever it is stored as. */
export interface FrozenMatrix {
  readonly shape: readonly [outFeatures: number, inFeatures: number];
  /** For x · Wᵀ, in f16; belongs to the current scope where it is not the matrix itself. */
  forProduct(): Pick<Gemm, "b" | "transposeB" | "inEights">;
  /** For dy · W: [outFeatures, inFeatures] f16; likewise. */
  forGradient(): Tensor;
}

/** Inputs of the op: of each layer `bias`, `a` and `b` besides, followed by its number. */
export interface AdaptedLinearInputTensors {
  [name: string]: Tensor | undefined;
  /** [T, inFeatures] f16 */
  x: Tensor;
  /** [T, outFeatures] f32, of a layer alone */
  addend: Tensor | undefined;
}

interface Attributes {
  weights: readonly FrozenMatrix[];
  scales: readonly number[];
  dtype: FloatDtype;
  /** False: the result, of one layer with an addend, is wanted for its place on the tape alone. */
  isRead: boolean;
}

/** Layers of one input, for `adaptedLinear` and `adaptedLinears`; all a have r rows. */
export const adaptedLinearOp: Op<AdaptedLinearInputTensors, Attributes, undefined, readonly Tensor[]> = defineOp("adaptedLinear", {
  rows: ["x", "addend", "h"],
  acceptsHalfGradient: true,
  forward({ device }, inputs: AdaptedLinearInputTensors, { weights, scales, dtype, isRead }: Attributes) {
    const { x, addend } = inputs;
    const [as, bs] = factorsOf(inputs, weights.length);
    const [[m, k], r] = [x.shape as [number, number], as[0]!.shape[0]!];
    const n = r * weights.length;
    const h = device.rowsLike(x, [m, n], "f32", "adaptedLinear h"); // those of all layers side by side
    const [peaks] = emptyPeaks(device, 1, { m, n }) as [Peaks];
    skinnyProduct({ a: x, b: as, m, n, k, transposeB: true, to: [{ c: h, peaks }] });
    const output = weights.map((weight, index) => {
      if (addend && !isRead) return addend.detach();
      const [outFeatures] = weight.shape;
      const y = device.rowsLike(x, [m, outFeatures], dtype, "adaptedLinear");
      const lowRank = { h, first: r * index, r, peaks, factor: bs[index]!, scale: scales[index]! };
      const bias = inputs[`bias${index}`];
      device.scope("weight", () => gemm({ a: x, ...weight.forProduct(), c: y, m, n: outFeatures, k, bias, addend, lowRank }));
      return y;
    });
    const factors = Object.fromEntries(
      weights.flatMap((_, index) => [
        [`a${index}`, as[index]!],
        [`b${index}`, bs[index]!],
      ]),
    );
    return { output, saved: { ...factors, x, h, peaks: peaks.tensor } };
  },
  // dAddend = dy;  dh = scale · dy · b;  dB = scale · dyᵀ · h;  dA = dhᵀ · x;  dx = sum of dy · W + dh · a;  dBias = sum over rows of dy
  vjp({ device, partial, takesHalf, sumOf }, saved, dys, needs, { weights, scales }) {
    const { x, h, peaks } = saved as Record<"x" | "h" | "peaks", Tensor>;
    const [as, bs] = factorsOf(saved as Record<string, Tensor>, weights.length);
    const [[m, k], r] = [x.shape as [number, number], as[0]!.shape[0]!];
    const gradients: Record<string, Tensor | false | undefined> = { addend: needs["addend"] && dys[0] };
    /** Where the gradient of a factor goes, and what it is multiplied by on the way there. */
    const toFactor = (name: string, shape: [number, number]): { c: Tensor; accumulate: boolean; alpha: number } => {
      const sum = sumOf(name);
      if (sum) return { c: sum.tensor, accumulate: true, alpha: sum.scale };
      const c = device.empty(shape, "f32", "adaptedLinear backward");
      gradients[name] = c;
      return { c, accumulate: false, alpha: 1 };
    };
    const layers = dys.flatMap((dy, index) =>
      dy ? [{ index, dy, half: cast(dy.detach(), "f16"), n: weights[index]!.shape[0], scale: scales[index]! }] : [],
    );
    const dh = device.rowsLike(x, [m, r * layers.length], "f32", "adaptedLinear backward"); // side by side
    const dhPeaks = emptyPeaks(device, layers.length, { m, n: r });
    for (const [order, { index, dy, half, n, scale }] of layers.entries()) {
      gradients[`bias${index}`] = needs[`bias${index}`] && sumColumns(dy, n, [n]);
      if (needs[`b${index}`]) {
        const { alpha, ...target } = toFactor(`b${index}`, [n, r]);
        const ofH = { b: h, bFirst: r * index, peaks: { tensor: peaks, first: 0, count: peaks.size } };
        skinnyProduct({ a: half, ...ofH, m: n, n: r, k: m, transposeA: true, to: [{ ...target, alpha: scale * alpha }] });
      }
      if (needs[`a${index}`] || needs["x"]) {
        const target = { c: dh, first: r * order, alpha: scale, peaks: dhPeaks[order] };
        skinnyProduct({ a: half, b: bs[index]!, m, n: r, k: n, to: [target] });
      }
    }
    /** dA of these layers, which are neighbours. */
    const multiplyByX = (first: number, count: number): void => {
      const to = layers.slice(first, first + count).map(({ index }) => ({ ...toFactor(`a${index}`, [r, k]), transposed: true }));
      const ofDh = { b: dh, bFirst: r * first, peaks: { ...dhPeaks[first]!, count: count * dhPeaks[first]!.count } };
      skinnyProduct({ a: x, ...ofDh, m: k, n: r * count, k: m, transposeA: true, to });
    };
    if (layers.every(({ index }) => needs[`a${index}`])) multiplyByX(0, layers.length);
    else for (const [order, { index }] of layers.entries()) if (needs[`a${index}`]) multiplyByX(order, 1);
    if (needs["x"]) {
      // What other layers add to is f32; of one alone it is an operand's gradient, which an op that makes operands takes as it is.
      const dtype = layers.length === 1 && takesHalf["x"] ? "f16" : "f32";
      x.dispose(); // dx, which is as wide, takes its place
      const dx = partial["x"] ?? device.rowsLike(x, [m, k], dtype, "adaptedLinear backward");
      let accumulate = dx === partial["x"];
      for (const [order, { index, half, n }] of [...layers.entries()].reverse()) {
        const lowRank = { h: dh, first: r * order, r, peaks: dhPeaks[order]!, factor: as[index]!, scale: 1 };
        device.scope("weight", () => gemm({ a: half, b: weights[index]!.forGradient(), c: dx, m, n: k, k: n, accumulate, lowRank }));
        half.dispose(); // the next matrix takes its place
        accumulate = true;
      }
      gradients["x"] = dx;
    }
    return gradients;
  },
});

/** a and b of each layer. */
function factorsOf(tensors: Readonly<Record<string, Tensor | undefined>>, count: number): [as: Tensor[], bs: Tensor[]] {
  const of = (name: string): Tensor[] => Array.from({ length: count }, (_, index) => tensors[`${name}${index}`]!);
  return [of("a"), of("b")];
}
