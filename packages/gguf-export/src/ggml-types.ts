/** One type of tensor: its number in a file, and how many values make how many bytes. */
export interface GgmlTypeFacts {
  readonly id: number;
  /** Values of a block; a row is a whole number of blocks. */
  readonly blockValues: number;
  readonly blockBytes: number;
}

/** The type of a tensor, as llama.cpp spells it. */
export type GgmlType =
  | "F32"
  | "F16"
  | "Q4_0"
  | "Q4_1"
  | "Q5_0"
  | "Q5_1"
  | "Q8_0"
  | "Q2_K"
  | "Q3_K"
  | "Q4_K"
  | "Q5_K"
  | "Q6_K"
  | "IQ4_NL"
  | "IQ4_XS"
  | "I8"
  | "I16"
  | "I32"
  | "I64"
  | "F64"
  | "BF16";

/** Every type that this package reads, with its facts. */
export const GGML_TYPES: Readonly<Record<GgmlType, GgmlTypeFacts>> = {
  F32: { id: 0, blockValues: 1, blockBytes: 4 },
  F16: { id: 1, blockValues: 1, blockBytes: 2 },
  Q4_0: { id: 2, blockValues: 32, blockBytes: 18 },
  Q4_1: { id: 3, blockValues: 32, blockBytes: 20 },
  Q5_0: { id: 6, blockValues: 32, blockBytes: 22 },
  Q5_1: { id: 7, blockValues: 32, blockBytes: 24 },
  Q8_0: { id: 8, blockValues: 32, blockBytes: 34 },
  Q2_K: { id: 10, blockValues: 256, blockBytes: 84 },
  Q3_K: { id: 11, blockValues: 256, blockBytes: 110 },
  Q4_K: { id: 12, blockValues: 256, blockBytes: 144 },
  Q5_K: { id: 13, blockValues: 256, blockBytes: 176 },
  Q6_K: { id: 14, blockValues: 256, blockBytes: 210 },
  IQ4_NL: { id: 20, blockValues: 32, blockBytes: 18 },
  IQ4_XS: { id: 23, blockValues: 256, blockBytes: 136 },
  I8: { id: 24, blockValues: 1, blockBytes: 1 },
  I16: { id: 25, blockValues: 1, blockBytes: 2 },
  I32: { id: 26, blockValues: 1, blockBytes: 4 },
  I64: { id: 27, blockValues: 1, blockBytes: 8 },
  F64: { id: 28, blockValues: 1, blockBytes: 8 },
  BF16: { id: 30, blockValues: 1, blockBytes: 2 },
};

const byId: ReadonlyMap<number, GgmlType> = /* @__PURE__ */ new Map(
  /* @__PURE__ */ (Object.keys(GGML_TYPES) as GgmlType[]).map((type) => [GGML_TYPES[type].id, type]),
);

/** The type of a number in a file, or undefined for one that is not read here. */
export function ggmlTypeOfId(id: number): GgmlType | undefined {
  return byId.get(id);
}

/** True for the name of a type. */
export function isGgmlType(value: unknown): value is GgmlType {
  return typeof value === "string" && Object.hasOwn(GGML_TYPES, value);
}

/** Bytes of a tensor; undefined where a row is no whole number of blocks, or they are too many to count exactly. */
export function ggmlByteLength(type: GgmlType, shape: readonly number[]): number | undefined {
  const { blockValues, blockBytes } = GGML_TYPES[type];
  const rowLength = shape.at(-1) ?? 1;
  const blocks = shape.slice(0, -1).reduce((product, size) => product * size, rowLength / blockValues);
  const bytes = blocks * blockBytes;
  return Number.isSafeInteger(rowLength / blockValues) && Number.isSafeInteger(bytes) ? bytes : undefined;
}
