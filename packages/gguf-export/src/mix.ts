import { ArgumentError, DtypeError, excerpt } from "@kto/core";
import { compareTensorNames } from "./container/tensor-order.js";
import { GGUF_FILE_TYPES, type GgufFileType, isGgufFileType } from "./file-types.js";
import { GGML_TYPES } from "./ggml-types.js";
import type { QuantizedType } from "./quantize.js";

/** What a mix asks of a model beside the names and shapes of its tensors. */
export interface MixModel {
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly numKeyValueHeads: number;
}

/** Where a tensor stands among those of its kind: the how many-th it is, counted from 0, of how many layers. */
interface Place {
  readonly index: number;
  readonly layers: number;
  /** At least four query heads share a key. */
  readonly sharesKeys: boolean;
}

type Rule = (place: Place) => QuantizedType | undefined;

const eighth = (layers: number): number => Math.floor(layers / 8);

/** The first and last eighth of the layers and every third between: those that mixes of size M keep at more bits. */
function keepsMoreBits({ index, layers }: Place): boolean {
  return index < eighth(layers) || index >= Math.floor((7 * layers) / 8) || (index - eighth(layers)) % 3 === 2;
}

const moreBits: Rule = (place) => (keepsMoreBits(place) ? "Q6_K" : undefined);

/** What a mix gives the values of attention; where there is nothing, the base type. */
const valueRules: Partial<Record<GgufFileType, Rule>> = {
  Q2_K: ({ sharesKeys }) => (sharesKeys ? "Q4_K" : "Q3_K"),
  Q3_K_M: ({ index }) => (index < 2 ? "Q5_K" : "Q4_K"),
  Q3_K_L: () => "Q5_K",
  Q4_K_S: ({ index }) => (index < 4 ? "Q5_K" : undefined),
  Q4_K_M: moreBits,
  Q5_K_M: moreBits,
  IQ4_NL: ({ sharesKeys }) => (sharesKeys ? "Q5_K" : undefined),
  IQ4_XS: ({ sharesKeys }) => (sharesKeys ? "Q5_K" : undefined),
};

const inFirstEighth: Rule = ({ index, layers }) => (index < eighth(layers) ? "Q5_K" : undefined);

/** The same for the last projection of the MLP. */
const downRules: Partial<Record<GgufFileType, Rule>> = {
  Q2_K: () => "Q3_K",
  Q3_K_M: ({ index, layers }) => (index < Math.floor(layers / 16) ? "Q5_K" : "Q4_K"),
  Q3_K_L: () => "Q5_K",
  Q4_K_S: inFirstEighth,
  Q4_K_M: moreBits,
  Q5_K_M: moreBits,
  IQ4_NL: inFirstEighth,
  IQ4_XS: inFirstEighth,
};

/** The same in files made with an importance matrix, where the rule is another. */
const downRulesWithImportance: Partial<Record<GgufFileType, Rule>> = {
  Q4_0: ({ index, layers }) => (index < eighth(layers) ? "Q4_1" : undefined),
  Q5_0: ({ index, layers }) => (index < eighth(layers) ? "Q5_1" : undefined),
  IQ4_NL: () => undefined,
  IQ4_XS: () => undefined,
};

/** And for the output of attention, the same in all layers. */
const outputTypes: Partial<Record<GgufFileType, QuantizedType>> = { Q2_K: "Q3_K", Q3_K_M: "Q4_K", Q3_K_L: "Q5_K" };

/** What takes the place of a type whose blocks do not divide a row. */
const smallerBlocks: Partial<Record<QuantizedType, QuantizedType>> = {
  Q2_K: "Q4_0",
  Q3_K: "Q4_0",
  Q4_K: "Q5_0",
  Q5_K: "Q5_1",
  Q6_K: "Q8_0",
  IQ4_XS: "IQ4_NL",
};

/**
 * The type of every tensor of a dense Qwen2 model in a file of this kind, as llama.cpp's quantiser chooses it: norms and biases stay F32, the output, the values and
 * the MLP's last projection get more bits in some layers, and rows that are no multiple of a block get another type.
 *
 * @param tensors        all of them, with GGUF names and shapes [out, in]
 * @param hasImportance  the file is made with an importance matrix, which changes some choices
 * @returns              types by name, in the order of the file (`compareTensorNames`)
 * @throws DtypeError for an unknown kind, ArgumentError for a model that cannot be
 */
export function tensorTypes(
  fileType: GgufFileType,
  tensors: Iterable<{ readonly name: string; readonly shape: readonly number[] }>,
  { numHiddenLayers: layers, numAttentionHeads, numKeyValueHeads }: MixModel,
  { hasImportance = false }: { readonly hasImportance?: boolean | undefined } = {},
): Map<string, QuantizedType> {
  const operation = "tensorTypes";
  if (!isGgufFileType(fileType)) {
    const expected = `one of ${Object.keys(GGUF_FILE_TYPES).join(", ")}`;
    throw new DtypeError(
      { operation, problem: "this kind of file is not known here", expected, got: excerpt(fileType) },
      { dtype: String(fileType) },
    );
  }
  for (const [what, size] of Object.entries({ numHiddenLayers: layers, numAttentionHeads, numKeyValueHeads })) {
    if (Number.isSafeInteger(size) && size > 0) continue;
    throw new ArgumentError({ operation, problem: `${what} is not usable`, expected: "a whole number from 1", got: excerpt(size) });
  }
  const { base } = GGUF_FILE_TYPES[fileType];
  const sorted = [...tensors].sort((a, b) => compareTensorNames(a.name, b.name));
  const head = sorted.some(({ name }) => name === "output.weight") ? "output.weight" : "token_embd.weight";
  const sharesKeys = numAttentionHeads / numKeyValueHeads >= 4;
  const seen = { values: 0, down: 0 };

  const wanted = (name: string, rowLength: number): QuantizedType => {
    if (name === head) return base === "Q8_0" || !divides(base, rowLength) ? "Q8_0" : "Q6_K";
    if (name.includes("attn_v.weight")) {
      const type = valueRules[fileType]?.({ index: seen.values++, layers, sharesKeys }) ?? base;
      return layers === 80 && (type === "Q3_K" || type === "Q4_K") ? "Q5_K" : type;
    }
    if (name.includes("ffn_down")) {
      const rule = (hasImportance ? downRulesWithImportance[fileType] : undefined) ?? downRules[fileType];
      return rule?.({ index: seen.down++, layers, sharesKeys }) ?? base;
    }
    if (name.includes("attn_output.weight")) return outputTypes[fileType] ?? base;
    return base;
  };
  const typeOf = (name: string, shape: readonly number[]): QuantizedType => {
    if (shape.length === 1 || name.includes("_norm.weight") || !name.endsWith("weight")) return "F32";
    if (base === "F32" || base === "F16" || base === "BF16") return base;
    const rowLength = shape.at(-1)!;
    const type = wanted(name, rowLength);
    if (divides(type, rowLength)) return type;
    return rowLength % 32 === 0 ? smallerBlocks[type]! : "F16";
  };
  return new Map(sorted.map(({ name, shape }) => [name, typeOf(name, shape)]));
}

function divides(type: QuantizedType, rowLength: number): boolean {
  return rowLength % GGML_TYPES[type].blockValues === 0;
}
