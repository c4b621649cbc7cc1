import { causalAttention as causalAttentionOp, type FloatDtype } from "@kto/tensor";
import { indices, Numbers, type Arrays, type OracleCase } from "./case.js";

/** Heads of `causalAttention`: q is [numTokens, numHeads · headDim], k and v are [numTokens, numKeyValueHeads · headDim]. */
export interface AttentionHeads {
  numHeads: number;
  numKeyValueHeads: number;
  headDim: number;
}

/** out[t] = Σ_j softmax_j(q[t]·k[j] / √headDim)·v[j] over starts[t] ≤ j ≤ t, for each query head; 0 where there is no such j. */
export function causalAttention({ q, k, v, starts }: Arrays, heads: AttentionHeads): Float64Array {
  const out = new Float64Array(q!.length);
  forEachQuery({ q: q!, k: k!, starts: starts! }, heads, (row, keyBases, weights) => {
    weights.forEach((weight, index) => {
      for (let d = 0; d < heads.headDim; d++) out[row + d]! += weight * v![keyBases[index]! + d]!;
    });
  });
  return out;
}

/** dP = dOut·vᵀ, dS = P ⊙ (dP − Σ P·dP), dq = dS·k / √headDim, dk = dSᵀ·q / √headDim, dv = Pᵀ·dOut; dk and dv summed over a group's query heads. */
export function causalAttentionVjp({ q, k, v, starts }: Arrays, dOut: Float64Array, heads: AttentionHeads): Arrays {
  const { headDim } = heads;
  const [dq, dk, dv] = [new Float64Array(q!.length), new Float64Array(k!.length), new Float64Array(v!.length)];
  forEachQuery({ q: q!, k: k!, starts: starts! }, heads, (row, keyBases, weights) => {
    const dWeights = keyBases.map((base) => dot(dOut, row, v!, base, headDim));
    const mean = weights.reduce((sum, weight, index) => sum + weight * dWeights[index]!, 0);
    weights.forEach((weight, index) => {
      const base = keyBases[index]!;
      const dScore = (weight * (dWeights[index]! - mean)) / Math.sqrt(headDim);
      for (let d = 0; d < headDim; d++) {
        dq[row + d]! += dScore * k![base + d]!;
        dk[base + d]! += dScore * q![row + d]!;
        dv[base + d]! += weight * dOut[row + d]!;
      }
    });
  });
  return { q: dq, k: dk, v: dv };
}

/** Calls `use` with the place of each query's row, the places of the keys it sees, and its softmax. */
function forEachQuery(
  { q, k, starts }: { q: Float64Array; k: Float64Array; starts: Float64Array },
  { numHeads, numKeyValueHeads, headDim }: AttentionHeads,
  use: (row: number, keyBases: number[], weights: number[]) => void,
): void {
  for (let token = 0; token < starts.length; token++) {
    if (starts[token]! > token) continue;
    for (let head = 0; head < numHeads; head++) {
      const row = (token * numHeads + head) * headDim;
      const keyHead = Math.floor(head / (numHeads / numKeyValueHeads));
      const keyBases = Array.from(
        { length: token - starts[token]! + 1 },
        (_, i) => ((starts[token]! + i) * numKeyValueHeads + keyHead) * headDim,
      );
      const scores = keyBases.map((base) => dot(q, row, k, base, headDim) / Math.sqrt(headDim));
      const largest = Math.max(...scores);
      const exps = scores.map((score) => Math.exp(score - largest));
      const total = exps.reduce((sum, value) => sum + value, 0);
      use(
        row,
        keyBases,
        exps.map((value) => value / total),
      );
    }
  }
}

function dot(a: Float64Array, aBase: number, b: Float64Array, bBase: number, length: number): number {
  let sum = 0;
  for (let d = 0; d < length; d++) sum += a[aBase + d]! * b[bBase + d]!;
  return sum;
}

/** How a case is built; `masked` tokens have no keys, and the tokens after them in the row start past them. */
interface CaseOptions extends AttentionHeads {
  lengths: number[];
  masked?: number[];
  inputType?: FloatDtype;
  dtype?: FloatDtype;
  /** Of q and k: large scores make a sharp softmax. */
  scale?: number;
  errorClass?: OracleCase["errorClass"];
}

/** starts and ends of packed rows; a masked token gets a start past the end of everything. */
function bounds(lengths: number[], masked: number[]): { starts: number[]; ends: number[] } {
  const starts: number[] = [];
  const ends: number[] = [];
  for (const length of lengths) {
    const first = starts.length;
    let start = first;
    for (let token = first; token < first + length; token++) {
      const isMasked = masked.includes(token);
      if (isMasked && start === token) start = token + 1;
      starts.push(isMasked ? 2 ** 32 - 1 : start);
      ends.push(first + length);
    }
  }
  return { starts, ends };
}

/** One case of `causalAttention`. */
export function attentionCase(
  name: string,
  { lengths, masked = [], inputType = "f32", dtype = inputType, scale = 1, errorClass = "gemm", ...heads }: CaseOptions,
): OracleCase {
  const numTokens = lengths.reduce((sum, length) => sum + length, 0);
  const { numHeads, numKeyValueHeads, headDim } = heads;
  const numbers = new Numbers(numTokens + headDim);
  const { starts, ends } = bounds(lengths, masked);
  return {
    name: `causalAttention ${name}: rows of ${lengths.join(", ")}, ${numHeads}/${numKeyValueHeads} × ${headDim} ${inputType} → ${dtype}`,
    inputs: {
      q: numbers.input([numTokens, numHeads * headDim], { dtype: inputType, scale }),
      k: numbers.input([numTokens, numKeyValueHeads * headDim], { dtype: inputType, scale }),
      v: numbers.input([numTokens, numKeyValueHeads * headDim], { dtype: inputType }),
      starts: indices(starts),
      ends: indices(ends),
    },
    forward: (inputs) => ({ y: causalAttention(inputs, heads) }),
    vjp: (inputs, dy) => causalAttentionVjp(inputs, dy, heads),
    run: ({ q, k, v, starts, ends }) => ({ y: causalAttentionOp(q!, k!, v!, { ...heads, starts: starts!, ends: ends!, dtype }) }),
    // Sums of products over a head and over the keys, as in a GEMM; with f16 inputs the probabilities and their gradients are f16 operands of one.
    errorClass,
    storage: inputType === "f16" ? inputType : dtype,
    gradientStorage: inputType,
    ...(inputType === "f16" && dtype === "f32"
      ? { emulated: { attentionMatrix: "emulated", attentionMatrixDq: "emulated", attentionMatrixDkDv: "emulated" } }
      : {}),
  };
}

export const causalAttentionCases: OracleCase[] = [
  // With one key the softmax is constant: gradients of q and k are 0, and no error is small relative to them.
  attentionCase("one token", { lengths: [1], numHeads: 1, numKeyValueHeads: 1, headDim: 16, errorClass: "rowReduction" }),
  attentionCase("odd", { lengths: [7], numHeads: 3, numKeyValueHeads: 3, headDim: 18 }),
  attentionCase("several rows", { lengths: [5, 1, 9, 2], numHeads: 4, numKeyValueHeads: 2, headDim: 16 }),
  attentionCase("one past a tile", { lengths: [65], numHeads: 2, numKeyValueHeads: 1, headDim: 32 }),
  attentionCase("rows across tiles", { lengths: [33, 64, 31, 1], numHeads: 6, numKeyValueHeads: 1, headDim: 16 }),
  attentionCase("wide", { lengths: [40, 27], numHeads: 2, numKeyValueHeads: 1, headDim: 64 }),
  attentionCase("wider", { lengths: [35], numHeads: 6, numKeyValueHeads: 1, headDim: 128 }),
  attentionCase("sharp", { lengths: [40], numHeads: 2, numKeyValueHeads: 2, headDim: 32, scale: 4 }),
  attentionCase("left-padded", { lengths: [12, 12], masked: [0, 1, 2, 12, 13], numHeads: 4, numKeyValueHeads: 2, headDim: 16 }),
  attentionCase("masked within and after", { lengths: [10, 70], masked: [4, 8, 9, 79], numHeads: 2, numKeyValueHeads: 1, headDim: 16 }),
  attentionCase("all masked", { lengths: [3], masked: [0, 1, 2], numHeads: 2, numKeyValueHeads: 1, headDim: 16 }),
  // These two also run emulated, on one set of compiled kernels; the second has scores that grow along the keys by more than what weights may lag.
  attentionCase("half to single", { lengths: [33, 40], numHeads: 2, numKeyValueHeads: 1, headDim: 32, inputType: "f16", dtype: "f32" }),
  attentionCase("half to single, sharp, masked", {
    lengths: [70, 10],
    masked: [0, 1, 8, 75, 79],
    numHeads: 2,
    numKeyValueHeads: 1,
    headDim: 32,
    inputType: "f16",
    dtype: "f32",
    scale: 4,
  }),
  attentionCase("half", { lengths: [65, 30], numHeads: 2, numKeyValueHeads: 1, headDim: 128, inputType: "f16" }),
  attentionCase("half, sharp, masked", {
    lengths: [20, 80],
    masked: [0, 1, 25, 99],
    numHeads: 4,
    numKeyValueHeads: 2,
    headDim: 64,
    inputType: "f16",
    scale: 3,
  }),
];
