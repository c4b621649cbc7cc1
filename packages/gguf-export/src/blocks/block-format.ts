/** How the values of one type become blocks of bytes, and come back. All arithmetic is f32, each operation rounded, left to right. */
export interface BlockFormat {
  /** Values of a block. */
  readonly values: number;
  /** Bytes of a block. */
  readonly bytes: number;
  /** Byte offsets of the f16 scales in a block, which must be finite. */
  readonly scales: readonly number[];
  /**
   * Writes the block of the values x[at ..] to out[to ..], which is zero there.
   *
   * @param importance  of the columns of this block; another fit is then taken
   */
  quantize(x: Float32Array, at: number, out: Uint8Array, to: number, importance?: BlockImportance): void;
  /** Writes the values of the block at bytes[at ..] to out[to ..]. */
  dequantize(bytes: Uint8Array, at: number, out: Float32Array, to: number): void;
}

/** What an importance matrix says of the columns of one block. */
export interface BlockImportance {
  /** Mean squares of the activations, one a column, for the values of the block; each ≥ 0. */
  readonly columns: Float32Array;
  /** Mean square of the weights in the whole row, which the types of 32 values use. */
  readonly rowMeanSquare: number;
}

/** weight[i] = importance[i] · sqrt(meanSquare + x[i]²), the weight of a value in a fit that has an importance matrix; returns their sum, in order. */
export function importanceWeights(
  x: Float32Array,
  at: number,
  count: number,
  columns: Float32Array,
  meanSquare: number,
  weights: Float32Array,
): number {
  const f = Math.fround;
  let sum = 0;
  for (let i = 0; i < count; i++) {
    const value = x[at + i]!;
    weights[i] = f(columns[i]! * f(Math.sqrt(f(meanSquare + f(value * value)))));
    sum = f(sum + weights[i]!);
  }
  return sum;
}

/** Sum of squares in f32, in order. */
export function sumSquares(x: Float32Array, at: number, count: number): number {
  const f = Math.fround;
  let sum = 0;
  for (let i = at; i < at + count; i++) sum = f(sum + f(x[i]! * x[i]!));
  return sum;
}
