/** Shape of `causalAttention` in float64: q is [numTokens, numHeads · headDim], k and v [numTokens, numKeyValueHeads · headDim]; starts[t] > t masks token t. */
export interface AttentionCase {
  q: ArrayLike<number>;
  k: ArrayLike<number>;
  v: ArrayLike<number>;
  starts: ArrayLike<number>;
  numHeads: number;
  numKeyValueHeads: number;
  headDim: number;
}

/** Result and softmax statistics. */
export interface AttentionResult {
  out: Float64Array;
  /** [numTokens, numHeads]; 0 for a masked token. */
  logSumExp: Float64Array;
}

/** out[t] = Σ_j softmax_j(q[t]·k[j] / √headDim)·v[j] over starts[t] ≤ j ≤ t, for each query head. */
export function causalAttention(attention: AttentionCase): AttentionResult {
  const { v, starts, numHeads, headDim } = attention;
  const out = new Float64Array(attention.q.length);
  const logSumExp = new Float64Array(starts.length * numHeads);
  for (let token = 0; token < starts.length; token++) {
    if (starts[token]! > token) continue;
    for (let head = 0; head < numHeads; head++) {
      const scores = scoresOf(attention, token, head);
      const largest = Math.max(...scores);
      const total = scores.reduce((sum, score) => sum + Math.exp(score - largest), 0);
      logSumExp[token * numHeads + head] = largest + Math.log(total);
      scores.forEach((score, index) => {
        const weight = Math.exp(score - largest) / total;
        const base = keyBase(attention, starts[token]! + index, head);
        for (let d = 0; d < headDim; d++) out[(token * numHeads + head) * headDim + d]! += weight * v[base + d]!;
      });
    }
  }
  return { out, logSumExp };
}

/** dP = dOut·vᵀ, dS = P ⊙ (dP − Σ P·dP), dq = dS·k / √headDim, dk = dSᵀ·q / √headDim, dv = Pᵀ·dOut; dk and dv summed over a group's query heads. */
export function causalAttentionVjp(attention: AttentionCase, dOut: ArrayLike<number>): { dq: Float64Array; dk: Float64Array; dv: Float64Array } {
  const { q, k, v, starts, numHeads, headDim } = attention;
  const { logSumExp } = causalAttention(attention);
  const scale = 1 / Math.sqrt(headDim);
  const [dq, dk, dv] = [new Float64Array(q.length), new Float64Array(k.length), new Float64Array(v.length)];
  for (let token = 0; token < starts.length; token++) {
    if (starts[token]! > token) continue;
    for (let head = 0; head < numHeads; head++) {
      const row = (token * numHeads + head) * headDim;
      const weights = scoresOf(attention, token, head).map((score) => Math.exp(score - logSumExp[token * numHeads + head]!));
      const dWeights = weights.map((_, index) => dot(dOut, row, v, keyBase(attention, starts[token]! + index, head), headDim));
      const mean = weights.reduce((sum, weight, index) => sum + weight * dWeights[index]!, 0);
      weights.forEach((weight, index) => {
        const base = keyBase(attention, starts[token]! + index, head);
        const dScore = scale * weight * (dWeights[index]! - mean);
        for (let d = 0; d < headDim; d++) {
          dq[row + d]! += dScore * k[base + d]!;
          dk[base + d]! += dScore * q[row + d]!;
          dv[base + d]! += weight * dOut[row + d]!;
        }
      });
    }
  }
  return { dq, dk, dv };
}

/** Scores of a token against the keys from its row's start to itself. */
function scoresOf(attention: AttentionCase, token: number, head: number): number[] {
  const { q, k, starts, numHeads, headDim } = attention;
  const first = starts[token]!;
  return Array.from({ length: token - first + 1 }, (_, index) => dot(q, (token * numHeads + head) * headDim, k, keyBase(attention, first + index, head), headDim) / Math.sqrt(headDim));
}

function keyBase({ numHeads, numKeyValueHeads, headDim }: AttentionCase, token: number, head: number): number {
  return (token * numKeyValueHeads + Math.floor((head * numKeyValueHeads) / numHeads)) * headDim;
}

function dot(a: ArrayLike<number>, aBase: number, b: ArrayLike<number>, bBase: number, length: number): number {
  let sum = 0;
  for (let d = 0; d < length; d++) sum += a[aBase + d]! * b[bBase + d]!;
  return sum;
}
