/** Shape of `rope` in float64: x is [numTokens, numHeads · headDim], cos and sin are [maxPositions, headDim / 2]. */
export interface RopeCase {
  positions: ArrayLike<number>;
  cos: ArrayLike<number>;
  sin: ArrayLike<number>;
  headDim: number;
}

/** y[j] = x[j]·cos − x[j + half]·sin, y[j + half] = x[j + half]·cos + x[j]·sin, in every head. */
export function rope(x: ArrayLike<number>, { positions, cos, sin, headDim }: RopeCase): Float64Array {
  return rotate(x, positions, cos, sin, headDim, 1);
}

/** dx: dy rotated by the negative angle. */
export function ropeVjp(dy: ArrayLike<number>, { positions, cos, sin, headDim }: RopeCase): Float64Array {
  return rotate(dy, positions, cos, sin, headDim, -1);
}

function rotate(x: ArrayLike<number>, positions: ArrayLike<number>, cos: ArrayLike<number>, sin: ArrayLike<number>, headDim: number, direction: 1 | -1): Float64Array {
  const half = headDim / 2;
  const rowSize = x.length / positions.length;
  const y = new Float64Array(x.length);
  for (let token = 0; token < positions.length; token++) {
    for (let head = token * rowSize; head < (token + 1) * rowSize; head += headDim) {
      for (let j = 0; j < half; j++) {
        const c = cos[positions[token]! * half + j]!;
        const s = direction * sin[positions[token]! * half + j]!;
        const [a, b] = [x[head + j]!, x[head + j + half]!];
        y[head + j] = a * c - b * s;
        y[head + j + half] = b * c + a * s;
      }
    }
  }
  return y;
}
