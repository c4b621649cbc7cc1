import { rotateRows, type Columns, type FloatDtype } from "@kto/tensor";
import { indices, Numbers, roundTo, type Arrays, type OracleCase } from "../check/case.js";

interface CaseOptions {
  positions: number[];
  numHeads: number;
  numKeyValueHeads: number;
  headDim: number;
  /** q, k and v as columns of one tensor. */
  joined: boolean;
  inputType?: FloatDtype;
  dtype?: FloatDtype;
}

const numSlots = 80;

function rotateCase({ positions, joined, inputType = "f32", dtype = "f32", ...heads }: CaseOptions): OracleCase {
  const { numHeads, numKeyValueHeads, headDim } = heads;
  const numTokens = positions.length;
  const [qSize, kSize, half] = [numHeads * headDim, numKeyValueHeads * headDim, headDim / 2];
  const numbers = new Numbers(numTokens + headDim);
  const slots = positions.map((_, token) => (token * 7 + 3) % numSlots);
  const frozen = { dtype: inputType, needsGradient: false };
  const plain = { needsGradient: false };
  const rowSize = qSize + 2 * kSize;
  const [firsts, strides] = joined
    ? [
        [0, qSize, qSize + kSize],
        [rowSize, rowSize, rowSize],
      ]
    : [
        [0, 0, 0],
        [qSize, kSize, kSize],
      ];
  const names = joined ? ["x", "x", "x"] : ["q", "k", "v"];
  /** Columns of every token, rotated if asked to. */
  const section = (inputs: Arrays, which: 0 | 1 | 2, size: number, turns: boolean): Float64Array =>
    Float64Array.from({ length: numTokens * size }, (_, i) => {
      const token = Math.floor(i / size);
      const at = token * strides[which]! + firsts[which]! + (i % size);
      const x = inputs[names[which]!]!;
      if (!turns) return x[at]!;
      const j = i % headDim;
      const angle = positions[token]! * half + (j % half);
      const other = j < half ? -x[at + half]! : x[at - half]!;
      return x[at]! * inputs["cos"]![angle]! + other * inputs["sin"]![angle]!;
    });
  const kept = (rows: Float64Array): Float64Array => {
    const cache = new Float64Array(numSlots * kSize);
    slots.forEach((slot, token) => cache.set(rows.subarray(token * kSize, (token + 1) * kSize), slot * kSize));
    return cache.map((value) => roundTo(dtype, value));
  };
  const mostPositions = Math.max(...positions) + 1;
  return {
    name: `rotateRows ${numTokens} × ${numHeads}/${numKeyValueHeads} × ${headDim} ${inputType} → ${dtype}${joined ? ", side by side" : ""}`,
    inputs: {
      ...(joined
        ? { x: numbers.input([numTokens, rowSize], frozen) }
        : {
            q: numbers.input([numTokens, qSize], frozen),
            k: numbers.input([numTokens, kSize], frozen),
            v: numbers.input([numTokens, kSize], frozen),
          }),
      cos: numbers.input([mostPositions, half], plain),
      sin: numbers.input([mostPositions, half], plain),
      positions: indices(positions),
      slots: indices(slots),
    },
    forward: (inputs) => {
      const [q, k, v] = [section(inputs, 0, qSize, true), section(inputs, 1, kSize, true), section(inputs, 2, kSize, false)];
      return { q, k, v, keys: kept(k), values: kept(v) };
    },
    run: (tensors) => {
      const { cos, sin, positions: places, slots: rows } = tensors;
      const { device } = cos!;
      const columns = (which: 0 | 1 | 2): Columns => ({ tensor: tensors[names[which]!]!, first: firsts[which]! });
      const [keys, values] = ["keys", "values"].map((name) => device.zeros([numSlots, kSize], dtype, name));
      const inputs = { q: columns(0), k: columns(1), v: columns(2), tables: { cos: cos!, sin: sin! }, positions: places! };
      const made = rotateRows(inputs, { keys: keys!, values: values!, slots: rows! }, { ...heads, dtype });
      return { ...made, keys: keys!, values: values! };
    },
    errorClass: "elementwise",
    storage: dtype,
  };
}

export const rotateRowsCases: OracleCase[] = [
  rotateCase({ positions: [0], numHeads: 1, numKeyValueHeads: 1, headDim: 4, joined: false }),
  rotateCase({ positions: [3, 4, 5, 0, 1], numHeads: 3, numKeyValueHeads: 1, headDim: 6, joined: true }),
  rotateCase({ positions: Array.from({ length: 33 }, (_, i) => i), numHeads: 4, numKeyValueHeads: 2, headDim: 16, joined: false }),
  rotateCase({ positions: [9, 2, 7], numHeads: 12, numKeyValueHeads: 2, headDim: 128, joined: true, inputType: "f16", dtype: "f16" }),
];
