import { defineOp } from "../autograd/define-op.js";
import type { Device } from "../device/device.js";
import type { FloatDtype } from "../dtype.js";
import { ShapeError } from "../errors.js";
import { ropeKernel } from "../kernels/rope.wgsl.js";
import { expectDtype, expectShape, rowsOf } from "../shape.js";
import type { Tensor } from "../tensor.js";

/** Cosines and sines of every position, each [maxPositions, headDim / 2] f32. */
export interface RopeTables {
  cos: Tensor;
  sin: Tensor;
}

/** What `ropeTables` is made from. */
export type RopeTableOptions = {
  /** Even. */
  headDim: number;
  /** Positions 0 … maxPositions − 1 can be looked up. */
  maxPositions: number;
  /** Cosines and sines are multiplied by it; default 1. */
  attentionFactor?: number | undefined;
} & (
  | {
      /** Base of the wavelengths: `rope_theta`. */
      theta: number;
    }
  | {
      /** [headDim / 2] radians a position, for positions that are scaled; or those of each position. */
      inverseFrequencies: Float32Array | ((position: number) => Float32Array);
    }
);

/** Options of `rope`. */
export interface RopeOptions extends RopeTables {
  headDim: number;
  /** dtype of the result; default that of x. */
  dtype?: FloatDtype;
}

/**
 * Tables for `rope`, computed on the host, because a GPU's sine is poor for angles of thousands of radians.
 *
 *   inverseFrequency[j] = theta^(−2j / headDim),  angle = position · inverseFrequency[j],  both rounded to f32 as transformers does
 *
 * @returns  cos and sin of the angle in double, rounded to f32, times the attention factor. Throws ShapeError for an odd headDim, or frequencies of another number
 */
export function ropeTables(device: Device, options: RopeTableOptions): RopeTables {
  const { headDim, maxPositions, attentionFactor = 1 } = options;
  expectEven("ropeTables", headDim);
  const half = headDim / 2;
  const given =
    "theta" in options
      ? Float32Array.from({ length: half }, (_, j) => 1 / Math.fround(options.theta ** Math.fround((2 * j) / headDim)))
      : options.inverseFrequencies;
  const factor = Math.fround(attentionFactor);
  const cos = new Float32Array(maxPositions * half);
  const sin = new Float32Array(maxPositions * half);
  for (let position = 0; position < maxPositions; position++) {
    const inverseFrequencies = typeof given === "function" ? given(position) : given;
    if (inverseFrequencies.length !== half)
      throw new ShapeError(
        `ropeTables: inverseFrequencies has the wrong length; expected headDim / 2 = ${half}, got ${inverseFrequencies.length}`,
      );
    for (let j = 0; j < half; j++) {
      const angle = Math.fround(position * inverseFrequencies[j]!);
      cos[position * half + j] = Math.fround(Math.cos(angle)) * factor;
      sin[position * half + j] = Math.fround(Math.sin(angle)) * factor;
    }
  }
  return {
    cos: device.tensor(cos, [maxPositions, half], "f32", "rope cos"),
    sin: device.tensor(sin, [maxPositions, half], "f32", "rope sin"),
  };
}

/**
 * Rotary position embedding: turns every pair (x[j], x[j + headDim / 2]) of every head by position · theta^(−2j / headDim).
 *
 * @param x          [numTokens, numHeads · headDim] f16 | f32
 * @param positions  [numTokens] u32, each below maxPositions of the tables
 * @returns          shape of x. Throws ShapeError where the last size is not a multiple of headDim or the tables are not of that headDim
 * @see arXiv 2104.09864; halves are paired as in GPT-NeoX, not neighbours
 */
export function rope(x: Tensor, positions: Tensor, { headDim, cos, sin, dtype }: RopeOptions): Tensor {
  expectEven("rope", headDim);
  expectDtype("rope", "x", x, "f32", "f16");
  expectDtype("rope", "positions", positions, "u32");
  expectShape("rope", "positions", positions, [rowsOf(x.shape)]);
  const rowSize = x.shape.at(-1)!;
  if (rowSize % headDim !== 0)
    throw new ShapeError(`rope: rows of x do not divide into heads; expected a multiple of headDim ${headDim}, got ${rowSize}`);
  for (const [name, table] of [
    ["cos", cos],
    ["sin", sin],
  ] as const) {
    expectDtype("rope", name, table, "f32");
    expectShape("rope", name, table, [cos.shape[0] ?? 0, headDim / 2]);
  }
  return ropeOp({ x }, { positions, cos, sin, headDim, dtype: dtype ?? (x.dtype as FloatDtype) }).output;
}

interface Attributes extends RopeTables {
  positions: Tensor;
  headDim: number;
  dtype: FloatDtype;
}

const ropeOp = defineOp("rope", {
  rows: ["x", "positions"],
  forward: (_context, { x }: { x: Tensor }, { dtype, ...attributes }: Attributes) => ({
    output: rotate(x, attributes, 1, dtype),
    saved: { positions: attributes.positions, cos: attributes.cos, sin: attributes.sin, isHalf: Number(x.dtype === "f16") },
  }),
  // dx = dy rotated by the negative angle; of an x in f16, which was an operand of a product or is to be one, rounded as that operand
  vjp: (_context, { isHalf, ...saved }, dy, needs, { headDim }) => ({
    x: needs.x && rotate(dy, { ...saved, headDim }, -1, isHalf ? "f16" : "f32"),
  }),
});

function rotate(x: Tensor, { positions, cos, sin, headDim }: Omit<Attributes, "dtype">, direction: 1 | -1, dtype: FloatDtype): Tensor {
  const y = x.device.rowsLike(x, x.shape, dtype, "rope");
  ropeKernel.run(
    x.device,
    { x, positions, cos, sin, y },
    { numPairs: x.size / 2, half: headDim / 2, pairsPerToken: x.shape.at(-1)! / 2, direction },
    { xType: x.dtype as FloatDtype, dtype },
  );
  return y;
}

function expectEven(op: string, headDim: number): void {
  if (!Number.isInteger(headDim) || headDim <= 0 || headDim % 2 !== 0)
    throw new ShapeError(`${op}: headDim must be even and positive; got ${headDim}`);
}
