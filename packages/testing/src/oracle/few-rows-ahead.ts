import {
  decodeAttention as decodeAttentionOp,
  fewRowsLinear,
  gatherRows,
  type FewRowsPart,
  type FloatDtype,
  type LowRankAhead,
  type Tensor,
} from "@kto/tensor";
import { indices, Numbers, type Arrays, type OracleCase } from "../check/case.js";
import { causalAttention, dot } from "./causal-attention.js";

interface ChainOptions {
  numRows: number;
  /** Depth of the product that makes x. */
  k: number;
  /** Columns of x: of gate and up each with swiGlu. */
  n: number;
  /** Ranks of the update of the first product, or 0. */
  rank?: number;
  /** Matrices that take x, and ranks of their updates. */
  sizes: number[];
  ranks: number[];
  /** Of the first product, and of the second. */
  swiGlu?: boolean;
  thenSwiGlu?: boolean;
  norm?: boolean;
  weight?: FloatDtype;
}

const eps = 1e-5;
const [firstScale, secondScale] = [0.5, 0.75];

/**
 * Two products one after another, as in a decoder: the first makes x, and x · aᵀ of the updates of the second along with it, which the second takes. Each output is
 * compared.
 */
function chainCase(options: ChainOptions): OracleCase {
  const { numRows, k, n, rank = 0, sizes, ranks, swiGlu = false, thenSwiGlu = false, norm = false, weight = "f32" } = options;
  const numbers = new Numbers(numRows + k + n);
  const frozen = (shape: number[], scale: number, dtype: FloatDtype = "f32"): ReturnType<Numbers["input"]> =>
    numbers.input(shape, { dtype, scale, needsGradient: false });
  const total = sum(sizes);
  const numFirst = swiGlu ? 2 : 1;
  return {
    name: `fewRowsLinear ${numRows} × ${k} → ${n}${swiGlu ? ", swiGlu" : ""}, rank ${rank}, then ${norm ? "norm and " : ""}${thenSwiGlu ? "swiGlu of " : ""}${sizes.join(" + ")} with ranks ${ranks.join(", ")} made ahead, ${weight}`,
    inputs: {
      z: frozen([numRows, k], 1),
      weight0: frozen([numFirst * n, k], 1 / Math.sqrt(k), weight),
      addend: frozen([numRows, n], 1),
      ...(rank > 0 && { a0: frozen([numFirst * rank, k], 0.2), b0: frozen([numFirst * n, rank], 0.2) }),
      weight1: frozen([total, n], 1 / Math.sqrt(n), weight),
      norm: frozen([n], 1),
      a1: frozen([sum(ranks), n], 0.2),
      b1: frozen([sum(sizes.map((size, index) => size * ranks[index]!)), 1], 0.2),
    },
    forward: (inputs) => {
      const x = firstProduct(inputs, { numRows, k, n, rank, swiGlu });
      return { x, y: secondProduct(x, inputs, { numRows, n, sizes, ranks, norm, swiGlu: thenSwiGlu }) };
    },
    run: (given) => {
      const { z, weight0, addend, a0, b0, weight1, norm: normWeight, a1, b1 } = given;
      const firsts = { k, sizes: Array.from({ length: numFirst }, () => n), ranks: Array.from({ length: numFirst }, () => rank) };
      const first = partsOf(weight0!, a0, b0, { ...firsts, scale: firstScale });
      const second = partsOf(weight1!, a1, b1, { k: n, sizes, ranks, scale: secondScale });
      const a = second.flatMap(({ lowRank }) => lowRank?.a ?? []);
      const onward: LowRankAhead = { a, norm: norm ? normWeight : undefined, parts: undefined };
      const x = fewRowsLinear(first, { x: z!, swiGlu, addend, dtype: "f32", onward })!;
      if (!onward.parts) throw new Error("expected products made ahead");
      const normed = norm ? { weight: normWeight!, eps } : undefined;
      return { x, y: fewRowsLinear(second, { x, norm: normed, swiGlu: thenSwiGlu, dtype: "f32", ahead: onward })! };
    },
    errorClass: "gemm",
    storage: weight,
  };
}

/** The matrices as views of one buffer, whose starts are multiples of 256 bytes by the choice of sizes. */
function partsOf(
  weight: Tensor,
  a: Tensor | undefined,
  b: Tensor | undefined,
  { k, sizes, ranks, scale }: { k: number; sizes: number[]; ranks: number[]; scale: number },
): FewRowsPart[] {
  const of = (whole: Tensor, shape: number[], first: number): Tensor =>
    weight.device.viewOf(whole, shape, (first * whole.byteLength) / whole.size, "part");
  return sizes.map((size, index) => {
    const rank = ranks[index]!;
    const [row, rankRow] = [sum(sizes.slice(0, index)), sum(ranks.slice(0, index))];
    const bStart = sum(sizes.slice(0, index).map((each, i) => each * ranks[i]!));
    const lowRank = rank > 0 ? { a: of(a!, [rank, k], rankRow * k), b: of(b!, [size, rank], bStart), scale } : undefined;
    return { weight: of(weight, [size, k], row * k), lowRank };
  });
}

function firstProduct(
  { z, weight0, addend, a0, b0 }: Arrays,
  { numRows, k, n, rank, swiGlu }: { numRows: number; k: number; n: number; rank: number; swiGlu: boolean },
): Float64Array {
  return Float64Array.from({ length: numRows * n }, (_, i) => {
    const [row, col] = [Math.floor(i / n), i % n];
    const of = (part: number): number => {
      const h = Array.from({ length: rank }, (__, j) => dot(z!, row * k, a0!, (part * rank + j) * k, k));
      const update = sum(h.map((value, j) => value * b0![(part * n + col) * rank + j]!));
      return dot(z!, row * k, weight0!, (part * n + col) * k, k) + firstScale * update;
    };
    const gate = of(0);
    return (swiGlu ? (gate / (1 + Math.exp(-gate))) * of(1) : gate) + addend![i]!;
  });
}

function secondProduct(
  x: Float64Array,
  { weight1, norm: normWeight, a1, b1 }: Arrays,
  {
    numRows,
    n,
    sizes,
    ranks,
    norm,
    swiGlu,
  }: { numRows: number; n: number; sizes: number[]; ranks: number[]; norm: boolean; swiGlu: boolean },
): Float64Array {
  const y: number[] = [];
  for (let row = 0; row < numRows; row++) {
    const values = x.subarray(row * n, (row + 1) * n);
    const square = sum([...values].map((value) => value * value)) / n;
    const normed = norm ? values.map((value, i) => (value * normWeight![i]!) / Math.sqrt(square + eps)) : values;
    let [first, firstRank, bStart] = [0, 0, 0];
    const results = sizes.map((size, part) => {
      const rank = ranks[part]!;
      const h = Array.from({ length: rank }, (_, j) => dot(normed, 0, a1!, (firstRank + j) * n, n));
      const result = Array.from({ length: size }, (_, col) => {
        const update = sum(h.map((value, j) => value * b1![bStart + col * rank + j]!));
        return dot(normed, 0, weight1!, (first + col) * n, n) + secondScale * update;
      });
      first += size;
      firstRank += rank;
      bStart += size * rank;
      return result;
    });
    const [gate, up] = results;
    y.push(...(swiGlu ? gate!.map((value, i) => (value / (1 + Math.exp(-value))) * up![i]!) : results.flat()));
  }
  return Float64Array.from(y);
}

/** The attention's result times the a of the layer that takes it, made along with it. */
function attentionCase(lengths: number[], rank: number, dtype: FloatDtype = "f32"): OracleCase {
  const heads = { numHeads: 4, numKeyValueHeads: 2, headDim: 32 };
  const pageSize = 64;
  const [qSize, kSize] = [128, 64];
  const pagesPerRow = Math.ceil(Math.max(...lengths) / pageSize);
  const numbers = new Numbers(rank);
  const frozen = { dtype, needsGradient: false };
  const attended = ({ q, keys, values }: Arrays): Float64Array =>
    Float64Array.from(
      lengths.flatMap((length, row) => {
        const start = row * pagesPerRow * pageSize * kSize;
        const part = (from: Float64Array): Float64Array => from.subarray(start, start + length * kSize);
        const bounds = { starts: Float64Array.of(0), lastKeys: Float64Array.of(length - 1) };
        return [...causalAttention({ q: q!.subarray(row * qSize, (row + 1) * qSize), k: part(keys!), v: part(values!), ...bounds }, heads)];
      }),
    );
  return {
    name: `decodeAttention rows of ${lengths.join(", ")}, rank ${rank} made ahead, ${dtype}`,
    inputs: {
      q: numbers.input([lengths.length, qSize], frozen),
      keys: numbers.input([lengths.length * pagesPerRow * pageSize, kSize], frozen),
      values: numbers.input([lengths.length * pagesPerRow * pageSize, kSize], frozen),
      pages: { ...indices(Array.from({ length: lengths.length * pagesPerRow }, (_, page) => page)), shape: [lengths.length, pagesPerRow] },
      lengths: indices(lengths),
      newest: indices(lengths.map((length, row) => row * pagesPerRow * pageSize + length - 1)),
      a: numbers.input([rank, qSize], { scale: 0.2, needsGradient: false }),
      b: numbers.input([64, rank], { scale: 0.2, needsGradient: false }),
      weight: numbers.input([64, qSize], { scale: 0.1, needsGradient: false }),
    },
    forward: (inputs) => {
      const x = attended(inputs);
      const firsts = { numRows: lengths.length, n: qSize, sizes: [64], ranks: [rank], norm: false, swiGlu: false };
      return { x, y: secondProduct(x, { weight1: inputs["weight"]!, a1: inputs["a"]!, b1: inputs["b"]! }, firsts) };
    },
    run: (given) => {
      const { q, keys, values, pages, lengths: counts, newest, a, b, weight } = given;
      const newestRows = (from: Tensor): Tensor => gatherRows(from, newest!);
      const onward: LowRankAhead = { a: [a!], norm: undefined, parts: undefined };
      const all = (tensor: Tensor): { tensor: Tensor; first: number } => ({ tensor, first: 0 });
      const inputs = { q: all(q!), k: all(newestRows(keys!)), v: all(newestRows(values!)), onward };
      const cache = { keys: keys!, values: values!, pages: pages!, lengths: counts!, pageSize };
      const x = decodeAttentionOp(inputs, cache, { ...heads, dtype });
      if (!onward.parts) throw new Error("expected products made ahead");
      const part = { weight: weight!, lowRank: { a: a!, b: b!, scale: secondScale } };
      return { x, y: fewRowsLinear([part], { x, dtype: "f32", ahead: onward })! };
    },
    errorClass: "gemm",
    storage: dtype,
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

export const fewRowsAheadCases: OracleCase[] = [
  chainCase({ numRows: 1, k: 64, n: 64, sizes: [64], ranks: [4] }),
  chainCase({ numRows: 2, k: 72, n: 128, rank: 8, sizes: [64, 64, 128], ranks: [4, 0, 16], norm: true }),
  chainCase({ numRows: 1, k: 128, n: 192, rank: 16, sizes: [64], ranks: [16], swiGlu: true }),
  chainCase({ numRows: 3, k: 64, n: 192, rank: 4, sizes: [64, 64], ranks: [64, 64], swiGlu: true, norm: true, thenSwiGlu: true }),
  chainCase({ numRows: 9, k: 64, n: 64, sizes: [64], ranks: [260], norm: true }),
  chainCase({ numRows: 1, k: 1536, n: 1536, rank: 16, sizes: [256, 128, 128], ranks: [16, 16, 16], norm: true, weight: "f16" }),
  // Depths that all teams share: workgroups of few columns, which lie in three matrices, or in gate and up.
  chainCase({ numRows: 1, k: 640, n: 128, sizes: [16, 16, 32], ranks: [4, 4, 8], norm: true }),
  chainCase({ numRows: 1, k: 640, n: 256, rank: 4, sizes: [64, 64], ranks: [8, 8], swiGlu: true, norm: true, thenSwiGlu: true }),
  chainCase({ numRows: 2, k: 640, n: 64, rank: 8, sizes: [64, 64, 8], ranks: [4, 0, 8], swiGlu: true, norm: true }),
  // Workgroups whose columns lie in three matrices.
  chainCase({ numRows: 3, k: 64, n: 64, rank: 4, sizes: [16, 4, 44], ranks: [4, 16, 16] }),
  chainCase({ numRows: 3, k: 64, n: 64, sizes: [64], ranks: [516], norm: true }),
  attentionCase([5, 130], 16),
  attentionCase([200], 40),
  attentionCase([70, 3, 129], 4, "f16"),
];
