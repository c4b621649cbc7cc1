import { ArgumentError } from "@kto/core";

/**
 * Beyond this no type of blocks has a finite scale (65504 · 32 · 128 is the largest value of all), and the sums of the fits overflow before the scale does.
 */
const MAX_MAGNITUDE = 2 ** 30;

/** How many blocks that many values or bytes are. Throws `ArgumentError` for a part of one. */
export function expectBlocks(operation: string, given: number, block: number, type: string, unit: string): number {
  if (given % block === 0) return given / block;
  throw new ArgumentError({
    operation,
    problem: `these are no whole blocks of ${type}`,
    expected: `a multiple of ${block} ${unit}`,
    got: String(given),
  });
}

/** The length of a row by its importance. Throws `ArgumentError` where they do not fit together, and for impossible numbers. */
export function expectImportance(importance: Float32Array, given: number, blockValues: number): number {
  const operation = "quantize";
  const rowLength = importance.length;
  if (rowLength === 0 || rowLength % blockValues !== 0 || given % rowLength !== 0) {
    throw new ArgumentError({
      operation,
      problem: "importance and values do not fit together",
      expected: `one number for each column, a multiple of ${blockValues} that divides ${given}`,
      got: String(rowLength),
    });
  }
  const bad = importance.findIndex((value) => !(value >= 0 && Number.isFinite(value)));
  if (bad >= 0) {
    throw new ArgumentError({
      operation,
      problem: `importance of column ${bad} is not usable`,
      expected: "a finite number from 0",
      got: String(importance[bad]),
    });
  }
  return rowLength;
}

/** Throws `ArgumentError` for the first value that is not finite. */
export function expectFinite(values: Float32Array, type: string): void {
  for (let i = 0; i < values.length; i++) {
    if (Number.isFinite(values[i])) continue;
    throw new ArgumentError({
      operation: "quantize",
      problem: `value ${i} is not finite`,
      expected: `numbers that ${type} can hold`,
      got: String(values[i]),
      advice: "llama.cpp refuses such weights; look at the run that made them",
    });
  }
}

/** Throws `ArgumentError` for the first value that no type of blocks holds. */
export function expectMagnitudes(values: Float32Array, type: string): void {
  const huge = values.findIndex((value) => Math.abs(value) > MAX_MAGNITUDE);
  if (huge >= 0) throw tooLarge(type, huge, values[huge]!);
}

/** The error for a value that a type cannot hold. */
export function tooLarge(type: string, index: number, value: number): ArgumentError {
  return new ArgumentError({
    operation: "quantize",
    problem: `value ${index} or one soon after it is too large for ${type}`,
    expected: "scales and values that are finite in it",
    got: String(value),
    advice: "BF16 and F32 hold them",
  });
}
