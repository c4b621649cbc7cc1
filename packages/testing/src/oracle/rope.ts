import { rope as ropeOp, ropeTables, type FloatDtype } from "@kto/tensor";
import { indices, Numbers, type Arrays, type OracleCase } from "../check/case.js";

/** In every head, with half = headDim / 2: y[j] = x[j]·cos − x[j + half]·sin, y[j + half] = x[j + half]·cos + x[j]·sin. `direction` −1 undoes it. */
export function rope(
  { x, positions }: Arrays,
  { headDim, theta }: { headDim: number; theta: number },
  direction: 1 | -1 = 1,
): Float64Array {
  const half = headDim / 2;
  const rowSize = x!.length / positions!.length;
  const y = new Float64Array(x!.length);
  for (let base = 0; base < x!.length; base += headDim) {
    const position = positions![Math.floor(base / rowSize)]!;
    for (let j = 0; j < half; j++) {
      const angle = Math.fround(position * inverseFrequency(theta, j, headDim));
      const [c, s] = [Math.cos(angle), direction * Math.sin(angle)];
      const [a, b] = [x![base + j]!, x![base + j + half]!];
      y[base + j] = a * c - b * s;
      y[base + j + half] = b * c + a * s;
    }
  }
  return y;
}

/** As transformers computes it, step by step in f32. */
function inverseFrequency(theta: number, j: number, headDim: number): number {
  return Math.fround(1 / Math.fround(theta ** Math.fround((2 * j) / headDim)));
}

interface RopeShape {
  positions: number[];
  numHeads: number;
  headDim: number;
  theta?: number;
  xType?: FloatDtype;
  dtype?: FloatDtype;
}

function ropeCase(name: string, { positions, numHeads, headDim, theta = 10_000, xType = "f32", dtype = xType }: RopeShape): OracleCase {
  const numbers = new Numbers(positions.length + headDim);
  return {
    name: `rope ${name}: ${positions.length} × ${numHeads} × ${headDim} ${xType} → ${dtype}`,
    inputs: { x: numbers.input([positions.length, numHeads * headDim], { dtype: xType }), positions: indices(positions) },
    forward: (inputs) => ({ y: rope(inputs, { headDim, theta }) }),
    vjp: ({ positions }, dy) => ({ x: rope({ x: dy, positions: positions! }, { headDim, theta }, -1) }),
    run: ({ x, positions: at }) => {
      const tables = ropeTables(x!.device, { headDim, theta, maxPositions: Math.max(0, ...positions) + 1 });
      return { y: ropeOp(x!, at!, { headDim, ...tables, dtype }) };
    },
    errorClass: "elementwise",
    storage: dtype,
    gradientStorage: xType,
  };
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

export const ropeCases: OracleCase[] = [
  ropeCase("one token", { positions: [3], numHeads: 1, headDim: 4 }),
  ropeCase("odd", { positions: upTo(5), numHeads: 3, headDim: 6 }),
  ropeCase("packed rows", { positions: [...upTo(33), ...upTo(20), ...upTo(1)], numHeads: 4, headDim: 16 }),
  ropeCase("left-padded", { positions: [1, 1, 1, ...upTo(9)], numHeads: 2, headDim: 64, theta: 1_000_000 }),
  ropeCase("far", { positions: [0, 4095, 1000], numHeads: 2, headDim: 128 }),
  ropeCase("half", { positions: upTo(7), numHeads: 2, headDim: 32, xType: "f16" }),
  ropeCase("from half", { positions: upTo(7), numHeads: 2, headDim: 32, xType: "f16", dtype: "f32" }),
];
