import { DtypeError, excerpt } from "@kto/core";
import type { QuantizedType } from "./quantize.js";

/** The kind of a whole file: most tensors have its base type, a mix gives some another. */
export type GgufFileType =
  | "F32"
  | "F16"
  | "BF16"
  | "Q8_0"
  | "Q6_K"
  | "Q5_K_M"
  | "Q5_K_S"
  | "Q5_1"
  | "Q5_0"
  | "Q4_K_M"
  | "Q4_K_S"
  | "Q4_1"
  | "Q4_0"
  | "IQ4_NL"
  | "IQ4_XS"
  | "Q3_K_L"
  | "Q3_K_M"
  | "Q3_K_S"
  | "Q2_K";

/** Every kind of file, with the number of `general.file_type` and the type of most of its tensors. */
export const GGUF_FILE_TYPES: Readonly<Record<GgufFileType, { readonly id: number; readonly base: QuantizedType }>> = {
  F32: { id: 0, base: "F32" },
  F16: { id: 1, base: "F16" },
  BF16: { id: 32, base: "BF16" },
  Q8_0: { id: 7, base: "Q8_0" },
  Q6_K: { id: 18, base: "Q6_K" },
  Q5_K_M: { id: 17, base: "Q5_K" },
  Q5_K_S: { id: 16, base: "Q5_K" },
  Q5_1: { id: 9, base: "Q5_1" },
  Q5_0: { id: 8, base: "Q5_0" },
  Q4_K_M: { id: 15, base: "Q4_K" },
  Q4_K_S: { id: 14, base: "Q4_K" },
  Q4_1: { id: 3, base: "Q4_1" },
  Q4_0: { id: 2, base: "Q4_0" },
  IQ4_NL: { id: 25, base: "IQ4_NL" },
  IQ4_XS: { id: 30, base: "IQ4_XS" },
  Q3_K_L: { id: 13, base: "Q3_K" },
  Q3_K_M: { id: 12, base: "Q3_K" },
  Q3_K_S: { id: 11, base: "Q3_K" },
  Q2_K: { id: 10, base: "Q2_K" },
};

/** True for the name of a kind of file. */
export function isGgufFileType(value: unknown): value is GgufFileType {
  return typeof value === "string" && Object.hasOwn(GGUF_FILE_TYPES, value);
}

/** Other names of kinds: llama.cpp's short ones and Unsloth's. `not_quantized` is the model's own 16 bits. */
const aliases: Readonly<Record<string, GgufFileType | "not_quantized">> = {
  Q3_K: "Q3_K_M",
  Q4_K: "Q4_K_M",
  Q5_K: "Q5_K_M",
  NOT_QUANTIZED: "not_quantized",
  FAST_QUANTIZED: "Q8_0",
  QUANTIZED: "Q4_K_M",
};

/**
 * The kind of file that a name means, in large or small letters: one of `GGUF_FILE_TYPES`, or an other name of one (`q4_k` is Q4_K_M, Unsloth's `quantized` too).
 *
 * @param ownType  what `not_quantized` stands for: the 16 bits that the model has
 * @throws DtypeError with all names
 */
export function readGgufFileType(name: string, ownType: "F16" | "BF16" = "BF16"): GgufFileType {
  const upper = name.toUpperCase();
  const meant = isGgufFileType(upper) ? upper : Object.hasOwn(aliases, upper) ? aliases[upper]! : undefined;
  if (meant === "not_quantized") return ownType;
  if (meant !== undefined) return meant;
  throw new DtypeError(
    {
      operation: "readGgufFileType",
      problem: "there is no such type of GGUF file",
      expected: `one of ${Object.keys(GGUF_FILE_TYPES).join(", ")}`,
      got: excerpt(name),
    },
    { dtype: name },
  );
}
