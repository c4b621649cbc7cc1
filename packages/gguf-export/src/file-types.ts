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
