import { causalAttention as causalAttentionOp, type FloatDtype } from "@kto/tensor";
import { indices, Numbers, type Arrays, type OracleCase } from "../check/case.js";

/** Heads of `causalAttention`: q is [numTokens, numHeads · headDim], k and v are [numTokens, numKeyValueHeads · headDim]. */
export interface AttentionHeads {
  numHeads: number;
  numKeyValueHeads: number;
  headDim: number;
}

/** out[t] = Σ_j softmax_j(q[t]·k[j] / √headDim)·v[j] over starts[t] ≤ j ≤ lastKeys[t] (without them, t) but for the keys from spans[t, 1] to spans[t, 2], for each query head; 0 where there is no such j. */
export function causalAttention({ q, k, v, starts, lastKeys, spans }: Arrays, heads: AttentionHeads): Float64Array {
  const out = new Float64Array(q!.length);
  forEachQuery({ q: q!, k: k!, starts: starts!, lastKeys, spans }, heads, (row, keyBases, weights) => {
    weights.forEach((weight, index) => {
      for (let d = 0; d < heads.headDim; d++) out[row + d]! += weight * v![keyBases[index]! + d]!;
    });
  });
  return out;
}

/** dP = dOut·vᵀ, dS = P ⊙ (dP − Σ P·dP), dq = dS·k / √headDim, dk = dSᵀ·q / √headDim, dv = Pᵀ·dOut; dk and dv summed over a group's query heads. */
export function causalAttentionVjp({ q, k, v, starts, spans }: Arrays, dOut: Float64Array, heads: AttentionHeads): Arrays {
  const { headDim } = heads;
  const [dq, dk, dv] = [new Float64Array(q!.length), new Float64Array(k!.length), new Float64Array(v!.length)];
  forEachQuery({ q: q!, k: k!, starts: starts!, spans }, heads, (row, keyBases, weights) => {
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
  {
    q,
    k,
    starts,
    lastKeys,
    spans,
  }: { q: Float64Array; k: Float64Array; starts: Float64Array; lastKeys?: Float64Array | undefined; spans?: Float64Array | undefined },
  { numHeads, numKeyValueHeads, headDim }: AttentionHeads,
  use: (row: number, keyBases: number[], weights: number[]) => void,
): void {
  for (let token = 0; token < starts.length; token++) {
    const last = lastKeys?.[token] ?? token;
    if (starts[token]! > last) continue;
    for (let head = 0; head < numHeads; head++) {
      const row = (token * numHeads + head) * headDim;
      const keyHead = Math.floor(head / (numHeads / numKeyValueHeads));
      const isSeen = (key: number): boolean => !spans || key < spans[4 * token + 1]! || key >= spans[4 * token + 2]!;
      const keys = Array.from({ length: last - starts[token]! + 1 }, (_, i) => starts[token]! + i).filter(isSeen);
      const keyBases = keys.map((key) => (key * numKeyValueHeads + keyHead) * headDim);
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

/** Σ a[aBase + i] · b[bBase + i] over `length` of them. */
export function dot(a: Float64Array, aBase: number, b: Float64Array, bBase: number, length: number): number {
  let sum = 0;
  for (let d = 0; d < length; d++) sum += a[aBase + d]! * b[bBase + d]!;
  return sum;
}

/** How a case is built; `masked` tokens have no keys, and the tokens after them in the row start past them. */
interface CaseOptions extends AttentionHeads {
  lengths: number[];
  /** Keys of each row; the queries, `lengths`, are its last. Default as many, and then there is a vjp. */
  keyLengths?: number[];
  /** Where each row's keys begin; default one after the other. */
  keyStarts?: number[];
  masked?: number[];
  /** What a row goes on from: the first `length` tokens of an earlier row. */
  prefixes?: Readonly<Record<number, { row: number; length: number }>>;
  inputType?: FloatDtype;
  dtype?: FloatDtype;
  /** Of q and k: large scores make a sharp softmax. */
  scale?: number;
  errorClass?: OracleCase["errorClass"];
}

/** Bounds of packed rows, which count keys; a masked token gets a start past the end of everything. */
function bounds(
  { lengths, keyLengths = lengths, keyStarts }: Pick<CaseOptions, "lengths" | "keyLengths" | "keyStarts">,
  masked: number[],
): { starts: number[]; ends: number[]; lastKeys: number[]; numKeys: number } {
  const starts: number[] = [];
  const ends: number[] = [];
  const lastKeys: number[] = [];
  let next = 0;
  keyLengths.forEach((keyLength, row) => {
    const first = keyStarts?.[row] ?? next;
    let start = first;
    for (let key = first; key < first + keyLength; key++) {
      const isMasked = masked.includes(key);
      if (isMasked && start === key) start = key + 1;
      if (key < first + keyLength - lengths[row]!) continue; // a key without a query
      starts.push(isMasked ? 2 ** 32 - 1 : start);
      ends.push(first + keyLength);
      lastKeys.push(key);
    }
    next = first + keyLength;
  });
  return { starts, ends, lastKeys, numKeys: Math.max(next, ...ends) };
}

/** Bounds of rows of which some go on from earlier ones, by what each token sees: every key of its prefix, and its own row's up to itself. */
function prefixedBounds(
  lengths: number[],
  prefixes: NonNullable<CaseOptions["prefixes"]>,
): { starts: number[]; ends: number[]; spans: number[]; numKeys: number } {
  const rowOf = lengths.flatMap((length, row) => Array.from({ length }, () => row));
  const firstOf = lengths.map((_, row) => rowOf.indexOf(row));
  const sees = (query: number, key: number): boolean => {
    const prefix = prefixes[rowOf[query]!];
    const isPrefix = prefix !== undefined && rowOf[key] === prefix.row && key < firstOf[prefix.row]! + prefix.length;
    return isPrefix || (rowOf[key] === rowOf[query] && key <= query);
  };
  const tokens = rowOf.map((_, token) => token);
  const seen = tokens.map((query) => tokens.filter((key) => sees(query, key)));
  const starts = seen.map((keys) => keys[0]!);
  const ends = tokens.map((key) => 1 + Math.max(...tokens.filter((query) => sees(query, key))));
  const spans = seen.flatMap((keys, token) => {
    const hole = keys.findIndex((key, index) => index > 0 && key !== keys[index - 1]! + 1);
    return [starts[token]!, ...(hole === -1 ? [0, 0] : [keys[hole - 1]! + 1, keys[hole]!]), ends[token]!];
  });
  return {
    starts,
    ends,
    spans,
    numKeys: tokens.length,
  };
}

/** One case of `causalAttention`. */
export function attentionCase(
  name: string,
  {
    lengths,
    keyLengths,
    keyStarts,
    masked = [],
    prefixes,
    inputType = "f32",
    dtype = inputType,
    scale = 1,
    errorClass = "gemm",
    ...heads
  }: CaseOptions,
): OracleCase {
  const { numHeads, numKeyValueHeads, headDim } = heads;
  const { starts, ends, lastKeys, spans, numKeys } = {
    lastKeys: [],
    spans: undefined,
    ...(prefixes ? prefixedBounds(lengths, prefixes) : bounds({ lengths, keyLengths, keyStarts }, masked)),
  };
  const numTokens = starts.length;
  const numbers = new Numbers(numTokens + headDim);
  const ofKeys = keyLengths ? ` of ${keyLengths.join(", ")}` : "";
  const forwardKernels = { causalAttention: "matrix", attentionMatrix: "emulated" };
  const backwardKernels = { attentionMatrixDq: "emulated", attentionMatrixDkDv: "emulated" };
  return {
    name: `causalAttention ${name}: rows of ${lengths.join(", ")}${ofKeys}, ${numHeads}/${numKeyValueHeads} × ${headDim} ${inputType} → ${dtype}`,
    inputs: {
      q: numbers.input([numTokens, numHeads * headDim], { dtype: inputType, scale }),
      k: numbers.input([numKeys, numKeyValueHeads * headDim], { dtype: inputType, scale }),
      v: numbers.input([numKeys, numKeyValueHeads * headDim], { dtype: inputType }),
      starts: indices(starts),
      ends: indices(ends),
      ...(keyLengths ? { lastKeys: indices(lastKeys) } : {}),
      ...(spans ? { spans: { ...indices(spans), shape: [numTokens, 4] } } : {}),
    },
    forward: (inputs) => ({ y: causalAttention(inputs, heads) }),
    ...(keyLengths ? {} : { vjp: (inputs: Arrays, dy: Float64Array) => causalAttentionVjp(inputs, dy, heads) }),
    run: ({ q, k, v, starts, ends, lastKeys, spans }) => ({
      y: causalAttentionOp(q!, k!, v!, { ...heads, starts: starts!, ends: ends!, lastKeys, spans, dtype }),
    }),
    // Sums of products over a head and over the keys, as in a GEMM; with f16 inputs the probabilities and their gradients are f16 operands of one.
    errorClass,
    storage: inputType === "f16" ? inputType : dtype,
    gradientStorage: inputType,
    ...(inputType === "f16" && dtype === "f32"
      ? { emulated: keyLengths ? forwardKernels : { ...forwardKernels, ...backwardKernels } }
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
  // Rows that go on from others.
  attentionCase("prefixes, odd", {
    lengths: [3, 2, 2, 4],
    prefixes: { 1: { row: 0, length: 3 }, 2: { row: 0, length: 2 } },
    numHeads: 3,
    numKeyValueHeads: 3,
    headDim: 18,
  }),
  attentionCase("prefixes across tiles", {
    lengths: [70, 33, 40, 5, 9],
    prefixes: { 1: { row: 0, length: 70 }, 2: { row: 0, length: 70 }, 4: { row: 3, length: 1 } },
    numHeads: 2,
    numKeyValueHeads: 1,
    headDim: 64,
  }),
  attentionCase("prefixes far before, wide", {
    lengths: [20, 40, 65, 10, 7],
    prefixes: { 3: { row: 0, length: 13 }, 4: { row: 2, length: 65 } },
    numHeads: 4,
    numKeyValueHeads: 2,
    headDim: 16,
  }),
  attentionCase("prefixes, half to single", {
    lengths: [35, 20, 37, 12],
    prefixes: { 1: { row: 0, length: 35 }, 2: { row: 0, length: 30 }, 3: { row: 0, length: 5 } },
    numHeads: 2,
    numKeyValueHeads: 1,
    headDim: 32,
    inputType: "f16",
    dtype: "f32",
  }),
  attentionCase("prefixes far before, half to single, sharp", {
    lengths: [9, 70, 66, 40],
    prefixes: { 2: { row: 0, length: 9 }, 3: { row: 0, length: 4 } },
    numHeads: 2,
    numKeyValueHeads: 1,
    headDim: 32,
    inputType: "f16",
    dtype: "f32",
    scale: 4,
  }),
  attentionCase("prefixes, half", {
    lengths: [65, 30, 10],
    prefixes: { 1: { row: 0, length: 65 }, 2: { row: 0, length: 65 } },
    numHeads: 2,
    numKeyValueHeads: 1,
    headDim: 128,
    inputType: "f16",
  }),
  // Fewer queries than keys.
  attentionCase("one query", { lengths: [1], keyLengths: [37], numHeads: 2, numKeyValueHeads: 1, headDim: 16 }),
  attentionCase("last queries, odd", { lengths: [2, 1], keyLengths: [6, 3], numHeads: 3, numKeyValueHeads: 3, headDim: 18 }),
  attentionCase("last queries", { lengths: [3, 1, 0, 5], keyLengths: [9, 41, 4, 5], numHeads: 4, numKeyValueHeads: 2, headDim: 16 }),
  attentionCase("last queries across tiles", {
    lengths: [70, 3],
    keyLengths: [103, 66],
    numHeads: 2,
    numKeyValueHeads: 1,
    headDim: 64,
  }),
  attentionCase("last queries, masked", {
    lengths: [4, 3, 2],
    keyLengths: [12, 40, 2],
    masked: [0, 1, 2, 12, 13, 50, 52, 53],
    numHeads: 4,
    numKeyValueHeads: 2,
    headDim: 16,
  }),
  attentionCase("last queries of rows anywhere among the keys", {
    lengths: [2, 3, 1],
    keyLengths: [7, 20, 33],
    keyStarts: [64, 5, 30],
    masked: [5, 6],
    numHeads: 2,
    numKeyValueHeads: 1,
    headDim: 16,
  }),
  // Emulated: the kernel on matrix units.
  attentionCase("last queries, half to single", {
    lengths: [1, 35, 2],
    keyLengths: [40, 70, 2],
    masked: [0, 1, 110],
    numHeads: 2,
    numKeyValueHeads: 1,
    headDim: 32,
    inputType: "f16",
    dtype: "f32",
  }),
  attentionCase("last queries of rows anywhere, half to single, sharp", {
    lengths: [3, 2],
    keyLengths: [30, 45],
    keyStarts: [50, 3],
    numHeads: 2,
    numKeyValueHeads: 1,
    headDim: 32,
    inputType: "f16",
    dtype: "f32",
    scale: 4,
  }),
  attentionCase("last queries, half", {
    lengths: [1, 33],
    keyLengths: [65, 90],
    numHeads: 4,
    numKeyValueHeads: 2,
    headDim: 64,
    inputType: "f16",
  }),
];
