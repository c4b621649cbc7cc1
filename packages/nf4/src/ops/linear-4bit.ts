import { cast, defineOp, expectDtype, expectShape, gemm, ShapeError, sumColumns, type FloatDtype, type Tensor } from "@kto/tensor";
import { matVecKernel } from "../kernels/nf4-mat-vec.wgsl.js";
import { matVecBackwardKernel } from "../kernels/nf4-mat-vec-backward.wgsl.js";
import type { Nf4Weight } from "../nf4-weight.js";
import { decodeArguments } from "./expand.js";

/** Options of `linear4bit`. */
export interface Linear4bitOptions {
  /** Storage type of the result; default f32. */
  dtype?: FloatDtype;
}

/**
 * Products of up to this many rows read the codes directly; with more it pays to write the matrix out first. On an H100 (2026-11-28, `bench -- nf4 few`)
 * 1536 × 1536 and 1536 × 8960 break even at 11 rows forward, 8960 × 1536 at 4; backward the large ones are never slower written out; 256 × 1536 is always
 * quicker from its codes up to 24 rows.
 */
const mostMatVecRows = { large: { forward: 8, backward: 0 }, small: { forward: 16, backward: 16 } };

/** Elements up to which a matrix is small: too few to keep a GPU busy when it is written out. */
const smallMatrix = 2 ** 20;

/**
 * A linear layer with a frozen four-bit weight: y = x · Wᵀ + bias, W dequantised as its quant state says and then rounded to x's dtype. Sums are f32 and
 * rounded once. Both directions start from the codes: W is written to a scratch tensor that ends with the op, or not written at all for few rows.
 *
 * @param x       [T, inFeatures] f32 | f16
 * @param weight  [outFeatures, inFeatures]; no gradient flows to it
 * @param bias    [outFeatures] f32
 * @returns       [T, outFeatures] in `dtype`; throws ShapeError when the sizes do not match, DtypeError on other dtypes
 */
export function linear4bit(x: Tensor, weight: Nf4Weight, bias?: Tensor, { dtype = "f32" }: Linear4bitOptions = {}): Tensor {
  return linear4bitOp({ x, bias }, { weight, dtype, operand: x.dtype as FloatDtype }).output;
}

interface Inputs {
  [name: string]: Tensor | undefined;
  x: Tensor;
  bias: Tensor | undefined;
}

interface Attributes {
  weight: Nf4Weight;
  dtype: FloatDtype;
  /** Dtype of x, and so of W in the products. */
  operand: FloatDtype;
}

const linear4bitOp = defineOp("linear4bit", {
  acceptsHalfGradient: true,
  forward({ device }, { x, bias }: Inputs, { weight, dtype, operand }: Attributes) {
    expectDtype("linear4bit", "x", x, "f32", "f16");
    const [n, k] = weight.shape;
    if (x.shape.length !== 2 || x.shape[1] !== k) {
      throw new ShapeError(
        `linear4bit: inner dimensions differ; expected x [T, in] and weight [out, in], got x [${x.shape.join(", ")}] with weight [${n}, ${k}] (${weight.label})`,
      );
    }
    if (bias) {
      expectShape("linear4bit", "bias", bias, [n]);
      expectDtype("linear4bit", "bias", bias, "f32");
    }
    const m = x.shape[0]!;
    const y = device.rowsLike(x, [m, n], dtype, "linear4bit");
    if (readsCodes("forward", m, weight)) {
      const { bindings, params, spec } = decodeArguments(weight);
      matVecKernel.run(
        device,
        { ...bindings, x, bias: bias ?? weight.tensors.tables, y },
        { ...params, m, n, k },
        { ...spec, xType: operand, dtype, hasBias: bias !== undefined, halfOperand: operand === "f16", rows: rowsTogether(m) },
      );
    } else if (m > 0) {
      const w = weight.dequantize(operand);
      gemm({ a: x, b: w, c: y, m, n, k, transposeB: true, bias });
      w.dispose();
    }
    return { output: y, saved: {} };
  },
  // dx = dy · W;  dBias = sum over rows of dy
  vjp({ device, partial }, _saved, dy, needs, { weight, operand }) {
    const [n, k] = weight.shape;
    const m = dy.shape[0]!;
    let dx: Tensor | undefined;
    if (needs.x) {
      dx = partial.x ?? device.rowsLike(dy, [m, k], "f32", "linear4bit backward");
      const accumulate = partial.x !== undefined;
      if (readsCodes("backward", m, weight)) {
        const { bindings, params, spec } = decodeArguments(weight);
        matVecBackwardKernel.run(
          device,
          { ...bindings, dy, dx },
          { ...params, m, n, k },
          { ...spec, dyType: dy.dtype as FloatDtype, accumulate, halfOperand: operand === "f16", rows: rowsTogether(m) },
        );
      } else if (m > 0) {
        const w = weight.dequantize(operand);
        // With f16 operands the products run on tensor cores; `backward({ scale })` keeps small gradients inside its range.
        gemm({ a: cast(dy.detach(), operand), b: w, c: dx, m, n: k, k: n, accumulate });
        w.dispose();
      }
    }
    return { x: dx, bias: needs.bias && sumColumns(dy, n, [n]) };
  },
});

function readsCodes(direction: "forward" | "backward", m: number, { device, state, shape, numElements }: Nf4Weight): boolean {
  const most = mostMatVecRows[numElements <= smallMatrix ? "small" : "large"][direction];
  return m > 0 && m <= most && device.recorder.variants.get("linear4bit") !== "scratch" && !state.isTransposed && shape[1] % 8 === 0;
}

function rowsTogether(m: number): 1 | 2 | 4 {
  if (m >= 3) return 4;
  return m === 2 ? 2 : 1;
}
