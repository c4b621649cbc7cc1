import { DtypeError } from "@kto/core";
import { asTypedArray, toBfloat16, toFloat16, toFloat32 } from "@kto/safetensors";
import { type BlockFormat, type BlockImportance, sumSquares } from "./blocks/block-format.js";
import { expectBlocks, expectFinite, expectImportance, expectMagnitudes, tooLarge } from "./blocks/checks.js";
import { iq4_nl, iq4_xs } from "./blocks/iq4.js";
import { q4_0, q4_1, q5_0, q5_1, q8_0 } from "./blocks/nibble-blocks.js";
import { q2_k } from "./blocks/q2-k.js";
import { q3_k } from "./blocks/q3-k.js";
import { q4_k, q5_k } from "./blocks/q4-q5-k.js";
import { q6_k } from "./blocks/q6-k.js";
import { extreme } from "./blocks/rounding.js";
import type { GgmlType } from "./ggml-types.js";

type PlainType = "F32" | "F16" | "BF16";

/** A type that f32 values can be turned into, and back. */
export type QuantizedType = Exclude<GgmlType, "I8" | "I16" | "I32" | "I64" | "F64">;

type BlockType = Exclude<QuantizedType, PlainType>;

const formats: Record<BlockType, BlockFormat> = {
  Q8_0: q8_0,
  Q4_0: q4_0,
  Q4_1: q4_1,
  Q5_0: q5_0,
  Q5_1: q5_1,
  Q2_K: q2_k,
  Q3_K: q3_k,
  Q4_K: q4_k,
  Q5_K: q5_k,
  Q6_K: q6_k,
  IQ4_NL: iq4_nl,
  IQ4_XS: iq4_xs,
};

/** Every type that `quantize` takes. */
export const QUANTIZED_TYPES: readonly QuantizedType[] = /* @__PURE__ */ [
  "F32",
  "F16",
  "BF16",
  .../* @__PURE__ */ (Object.keys(formats) as BlockType[]),
];

/** How to quantise. */
export interface QuantizeOptions {
  /**
   * Mean square of the activations of each column, from an importance matrix; its length is the length of a row. F32, F16, BF16, Q8_0 take the same
   * bytes with and without.
   */
  importance?: Float32Array | undefined;
}

/**
 * f32 values as a tensor of another type, the bytes that llama.cpp's quantiser writes on x86-64.
 *
 * @param values  whole rows, one after the other; a row is a whole number of blocks
 * @returns       the bytes of the tensor
 * @throws ArgumentError for values that are not finite or too large for the type, and for rows that are no whole number of blocks; DtypeError for another type
 */
export function quantize(values: Float32Array, type: QuantizedType, { importance }: QuantizeOptions = {}): Uint8Array<ArrayBuffer> {
  expectFinite(values, type);
  if (type === "F32") return new Uint8Array(values.slice().buffer);
  if (type === "F16" || type === "BF16") {
    const { values: halves, overflow } = type === "F16" ? toFloat16(values, "F32") : toBfloat16(values, "F32");
    if (overflow) throw tooLarge(type, overflow.index, overflow.value);
    return new Uint8Array(halves.buffer);
  }
  const format = formatOf("quantize", type);
  const blocks = expectBlocks("quantize", values.length, format.values, type, "values");
  expectMagnitudes(values, type);
  const out = new Uint8Array(blocks * format.bytes);
  const rowLength = importance === undefined ? values.length : expectImportance(importance, values.length, format.values);
  let rowMeanSquare = 0;
  for (let block = 0; block < blocks; block++) {
    const at = block * format.values;
    if (importance !== undefined && at % rowLength === 0) rowMeanSquare = Math.fround(sumSquares(values, at, rowLength) / rowLength);
    const given: BlockImportance | undefined = importance && {
      columns: importance.subarray(at % rowLength, (at % rowLength) + format.values),
      rowMeanSquare,
    };
    format.quantize(values, at, out, block * format.bytes, given);
    for (const offset of format.scales) {
      const half = out[block * format.bytes + offset + 1]!;
      if ((half & 0x7c) === 0x7c) throw tooLarge(type, at, extreme(values, at, format.values));
    }
  }
  return out;
}

/**
 * The values of a tensor as f32.
 *
 * @param bytes  a whole number of blocks
 * @throws ArgumentError for another number of bytes; DtypeError for another type
 */
export function dequantize(bytes: Uint8Array, type: QuantizedType): Float32Array<ArrayBuffer> {
  if (type === "F32" || type === "F16" || type === "BF16") {
    expectBlocks("dequantize", bytes.byteLength, type === "F32" ? 4 : 2, type, "bytes");
    return toFloat32(asTypedArray(bytes, type), type).values;
  }
  const format = formatOf("dequantize", type);
  const blocks = expectBlocks("dequantize", bytes.byteLength, format.bytes, type, "bytes");
  const out = new Float32Array(blocks * format.values);
  for (let block = 0; block < blocks; block++) format.dequantize(bytes, block * format.bytes, out, block * format.values);
  return out;
}

function formatOf(operation: string, type: BlockType): BlockFormat {
  expectQuantizedType(operation, type);
  return formats[type];
}

/** Throws `DtypeError` for a type that `quantize` does not take. */
export function expectQuantizedType(operation: string, type: QuantizedType): void {
  if (QUANTIZED_TYPES.includes(type)) return;
  throw new DtypeError(
    {
      operation,
      problem: "this type is not known here",
      expected: `one of ${QUANTIZED_TYPES.join(", ")}`,
      got: type,
    },
    { dtype: type },
  );
}
