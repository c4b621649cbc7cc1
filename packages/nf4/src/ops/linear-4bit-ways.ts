import { addInPlace, always, cast, gemm, pipelines, type FloatDtype, type Tensor, type Way } from "@kto/tensor";
import { matVecBackwardKernel } from "../kernels/nf4-mat-vec-backward.wgsl.js";
import { matVecKernel } from "../kernels/nf4-mat-vec.wgsl.js";
import type { Nf4Weight } from "../nf4-weight.js";
import { decodeArguments, productOperand } from "./expand.js";

/** What the choice between the ways of a product with a four-bit weight depends on. */
interface Problem {
  direction: "forward" | "backward";
  /** Of x or dy, at least one. */
  rows: number;
  weight: Nf4Weight;
}

/** What a way of such a product records; `operand` is the dtype to which W is rounded. */
interface Products {
  /** y = x · Wᵀ + bias (+ addend) */
  forward(product: {
    x: Tensor;
    weight: Nf4Weight;
    bias: Tensor | undefined;
    addend: Tensor | undefined;
    y: Tensor;
    operand: FloatDtype;
  }): void;
  /** dx = dy · W, or with `accumulate` dx += dy · W; f32 */
  backward(product: { dy: Tensor; weight: Nf4Weight; dx: Tensor; accumulate: boolean; operand: FloatDtype }): void;
}

/**
 * Products of up to this many rows read the codes directly; with more it pays to write the matrix out first. On an H100 (2026-11-28, `bench -- nf4 few`)
 * 1536 × 1536 and 1536 × 8960 break even at 11 rows forward, 8960 × 1536 at 4; backward the large ones are never slower written out; 256 × 1536 is always
 * quicker from its codes up to 24 rows.
 */
const mostMatVecRows = { large: { forward: 8, backward: 0 }, small: { forward: 16, backward: 16 } };

/** Elements up to which a matrix is small: too few to keep a GPU busy when it is written out. */
const smallMatrix = 2 ** 20;

/** Kernels that read the codes and multiply as they decode. */
export const codesProduct: Way<Problem, Products> = {
  name: "codes",
  lacks(_capabilities, { weight: { state, shape, label } }) {
    if (state.isTransposed) return `expected a weight whose codes are not those of its transpose, got ${label}`;
    return shape[1] % 8 === 0 ? undefined : `expected inFeatures that are a multiple of 8, got ${shape[1]} (${label})`;
  },
  when: (_capabilities, { direction, rows, weight: { numElements } }) =>
    rows <= mostMatVecRows[numElements <= smallMatrix ? "small" : "large"][direction],
  record: {
    forward({ x, weight, bias, addend, y, operand }) {
      const [n, k] = weight.shape;
      const m = x.shape[0]!;
      const { bindings, params, spec } = decodeArguments(weight);
      matVecKernel.run(
        weight.device,
        { ...bindings, x, bias: bias ?? weight.tensors.tables, y },
        { ...params, m, n, k },
        {
          ...spec,
          xType: operand,
          dtype: y.dtype as FloatDtype,
          hasBias: bias !== undefined,
          halfOperand: operand === "f16",
          rows: rowsTogether(m),
        },
      );
      if (addend) addInPlace(y, addend);
    },
    backward({ dy, weight, dx, accumulate, operand }) {
      const [n, k] = weight.shape;
      const m = dy.shape[0]!;
      const { bindings, params, spec } = decodeArguments(weight);
      matVecBackwardKernel.run(
        weight.device,
        { ...bindings, dy, dx },
        { ...params, m, n, k },
        { ...spec, dyType: dy.dtype as FloatDtype, accumulate, halfOperand: operand === "f16", rows: rowsTogether(m) },
      );
    },
  },
};

/** The matrix written to a scratch tensor, and an ordinary product. */
export const scratchProduct: Way<Problem, Products> = {
  name: "scratch",
  when: always,
  record: {
    forward({ x, weight, bias, addend, y, operand }) {
      const [n, k] = weight.shape;
      const m = x.shape[0]!;
      const isPipelined = operand === "f16" && pipelines({ a: x, b: x, m, n, k });
      const w = isPipelined ? productOperand(weight) : { b: weight.dequantize(operand), transposeB: true };
      gemm({ a: x, ...w, c: y, m, n, k, bias, addend });
      w.b.dispose();
    },
    backward({ dy, weight, dx, accumulate, operand }) {
      const [n, k] = weight.shape;
      const w = weight.dequantize(operand);
      // With f16 operands the products run on tensor cores; `backward({ scale })` keeps small gradients inside its range.
      gemm({ a: cast(dy.detach(), operand), b: w, c: dx, m: dy.shape[0]!, n: k, k: n, accumulate });
      w.dispose();
    },
  },
};

function rowsTogether(rows: number): 1 | 2 | 4 {
  if (rows >= 3) return 4;
  return rows === 2 ? 2 : 1;
}
