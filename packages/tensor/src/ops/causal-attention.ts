import { defineOp } from "../autograd/define-op.js";
import type { Device } from "../device/device.js";
import type { FloatDtype } from "../dtype.js";
import { ShapeError } from "../errors.js";
import type { HeadShape } from "../kernels/lib/attention-matrix.js";
import { expectDtype, expectShape } from "../shape.js";
import type { Tensor } from "../tensor.js";
import { matrixAttention } from "./causal-attention-matrix.js";
import { vectorAttention } from "./causal-attention-vector.js";

/** Where the rows of a packed batch lie: for each token, the first key that it sees as a query, and one past the last query that sees it as a key, each [numTokens] u32. */
export interface SegmentBounds {
  starts: Tensor;
  ends: Tensor;
  /**
   * For each query the key at which it stands, the last that it sees: [numTokens] u32, below numKeys. Without it there is a query for every key, and query t stands at
   * key t.
   */
  lastKeys?: Tensor | undefined;
  /**
   * Where rows go on from the tokens of others, so that queries have a gap, keys between their first and their own that they do not see: for each token its start, where
   * its gap begins and where that ends, and its end, [numTokens, 4] u32. A gap is empty where the two are equal; a query's own key lies past it. See `prefixBounds`.
   */
  spans?: Tensor | undefined;
}

/** Options of `causalAttention`. */
export interface CausalAttentionOptions extends SegmentBounds {
  numHeads: number;
  /** Divides numHeads; consecutive query heads share a key head. */
  numKeyValueHeads: number;
  /** Even. */
  headDim: number;
  /** dtype of the result; default that of q. */
  dtype?: FloatDtype;
}

/**
 * Bounds of rows of these lengths, packed one after the other. With `keyLengths`, the rows have that many keys, also packed one after the other, and
 * the queries are the last of each row. Throws ShapeError for a length that is not a non-negative integer, or a row with more queries than keys.
 *
 * @param lengths      queries of each row
 * @param keyLengths   keys of each row; default as many as queries
 * @param rowCapacity  queries to make room for: see `Device.rowsLike`
 * @returns            [2, 2, 3] → starts 0 0 2 2 4 4 4, ends 2 2 4 4 7 7 7;
 *                     [1, 2] of [3, 4] → starts 0 3 3, ends 3 7 7, lastKeys 2 5 6
 */
export function segmentBounds(
  device: Device,
  lengths: readonly number[],
  keyLengths?: readonly number[],
  rowCapacity?: number,
): SegmentBounds {
  const starts: number[] = [];
  const ends: number[] = [];
  const lastKeys: number[] = [];
  if (keyLengths && keyLengths.length !== lengths.length)
    throw new ShapeError(`segmentBounds: expected as many keyLengths as lengths, ${lengths.length}; got ${keyLengths.length}`);
  let start = 0;
  lengths.forEach((length, row) => {
    const keyLength = keyLengths?.[row] ?? length;
    for (const each of [length, keyLength])
      if (!Number.isInteger(each) || each < 0) throw new ShapeError(`segmentBounds: lengths must be non-negative integers; got ${each}`);
    if (length > keyLength)
      throw new ShapeError(
        `segmentBounds: row ${row} has more queries than keys; expected at most ${keyLength} queries, got ${length}; count earlier keys and those of the queries`,
      );
    const end = start + keyLength;
    for (let key = end - length; key < end; key++) {
      starts.push(start);
      ends.push(end);
      lastKeys.push(key);
    }
    start = end;
  });
  const made = (numbers: number[], name: string): Tensor => device.tensor(numbers, [numbers.length], "u32", name, rowCapacity);
  const bounds = { starts: made(starts, "starts"), ends: made(ends, "ends") };
  return keyLengths ? { ...bounds, lastKeys: made(lastKeys, "lastKeys") } : bounds;
}

/**
 * Causal attention of grouped query heads over packed rows, without a matrix of scores.
 *
 *   out[t] = sum over j of softmax over j (q[t] · k[j] / sqrt(headDim)) · v[j],  j from starts[t] to lastKeys[t], which is t without `lastKeys`, but for those in
 *            the gap of t
 *
 * Query head h reads key head floor(h / (numHeads / numKeyValueHeads)). A query with starts[t] > lastKeys[t] is masked: its result is 0, no gradient
 * flows through it, and nobody sees its key if the starts of the others are past it.
 *
 * With `lastKeys` there may be fewer queries than keys, of tokens at the end of rows whose earlier keys were kept; `starts`, `ends` and `lastKeys` count
 * keys. Rows may then lie anywhere among the keys, and keys between them that no query sees must still be finite. Only the forward pass does this.
 *
 * @param q        [numTokens, numHeads · headDim] f16 | f32
 * @param k, v     [numKeys, numKeyValueHeads · headDim], dtype of q; numKeys = numTokens without `lastKeys`
 * @returns        [numTokens, numHeads · headDim]; softmax and sums in f32. Throws ShapeError, DtypeError; `backward` throws ShapeError with `lastKeys`
 * @see arXiv 2205.14135 (FlashAttention), arXiv 2305.13245 (grouped heads)
 */
export function causalAttention(q: Tensor, k: Tensor, v: Tensor, options: CausalAttentionOptions): Tensor {
  const { numHeads, numKeyValueHeads, headDim, starts, ends, lastKeys, spans, dtype = q.dtype as FloatDtype } = options;
  if (numHeads % numKeyValueHeads !== 0) {
    throw new ShapeError(
      `causalAttention: query heads do not divide into groups; expected a multiple of numKeyValueHeads ${numKeyValueHeads}, got ${numHeads}`,
    );
  }
  if (headDim % 2 !== 0) throw new ShapeError(`causalAttention: headDim must be even; got ${headDim}`);
  const numTokens = q.shape[0] ?? 0;
  expectDtype("causalAttention", "q", q, "f32", "f16");
  expectShape("causalAttention", "q", q, [numTokens, numHeads * headDim]);
  const numKeys = lastKeys ? (k.shape[0] ?? 0) : numTokens;
  if (numKeys === 0 && numTokens > 0)
    throw new ShapeError(`causalAttention: no keys; expected at least one for ${numTokens} queries, got 0`);
  for (const [name, tensor] of [
    ["k", k],
    ["v", v],
  ] as const) {
    expectDtype("causalAttention", name, tensor, q.dtype);
    expectShape("causalAttention", name, tensor, [numKeys, numKeyValueHeads * headDim]);
  }
  for (const [name, tensor] of [
    ["starts", starts],
    ["ends", ends],
    ["lastKeys", lastKeys],
  ] as const) {
    if (!tensor) continue;
    expectDtype("causalAttention", name, tensor, "u32");
    expectShape("causalAttention", name, tensor, [numTokens]);
  }
  if (spans) {
    expectDtype("causalAttention", "spans", spans, "u32");
    expectShape("causalAttention", "spans", spans, [numTokens, 4]);
  }
  return attentionOp({ q, k, v }, { starts, ends, lastKeys, spans, heads: { numHeads, numKeyValueHeads, headDim }, dtype }).output;
}

interface Attributes extends SegmentBounds {
  heads: HeadShape;
  dtype: FloatDtype;
}

const attentionOp = defineOp("causalAttention", {
  ways: [matrixAttention, vectorAttention],
  rows: ["q", "k", "v", "out", "logSumExp", "starts", "ends", "spans"],
  forward({ device, way }, { q, k, v }: { q: Tensor; k: Tensor; v: Tensor }, { starts, ends, lastKeys, spans, heads, dtype }: Attributes) {
    const out = device.rowsLike(q, q.shape, dtype, "causalAttention");
    const logSumExp = device.rowsLike(q, [q.shape[0]!, heads.numHeads], "f32", "logSumExp");
    const { forward } = way({ direction: "forward", heads, inputType: q.dtype as FloatDtype });
    forward(device, { q, k, v, starts, lastKeys, spans, out, logSumExp }, heads);
    return { output: out, saved: { q, k, v, out, logSumExp, starts, ends, ...(spans && { spans }) } };
  },
  // With p = softmax, dP = dOut · vᵀ and delta = rowsum(dOut ⊙ out): dS = p ⊙ (dP − delta), dq = dS · k / √headDim, dk = dSᵀ · q / √headDim, dv = pᵀ · dOut
  vjp({ device, way }, saved, dOut, needs, { heads, lastKeys }) {
    if (lastKeys)
      throw new ShapeError(
        `causalAttention: gradients need a query for every key; expected none of lastKeys, got ${saved.q.shape[0]} queries placed among ${saved.k.shape[0]} keys; run what keeps keys inside device.noGrad`,
      );
    const { backward } = way({ direction: "backward", heads, inputType: saved.q.dtype as FloatDtype });
    const { dq, dk, dv } = backward(device, saved, dOut, needs, heads);
    return { q: needs.q && dq, k: needs.k && dk, v: needs.v && dv };
  },
});
