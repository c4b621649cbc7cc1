import { isSkipped, readQuantizationConfig, writeQuantizationConfig, type QuantizationConfig } from "@kto/nf4";
import type { DecoderForCausalLM } from "./model.js";

/** Dtypes that weights can be saved in, as transformers calls them in `config.json`. */
export const torchDtypes = { f32: "float32", f16: "float16", bf16: "bfloat16" } as const;

/** Dtype of weights in a file that are not in four bits. */
export type SaveDtype = keyof typeof torchDtypes;

/** Fields that are floats in Python, whose readers may ask for one: a whole number there is spelt `6.0`, which JSON.stringify does not do. */
const floats =
  /("(?:attention_dropout|attention_factor|factor|high_freq_factor|initializer_range|llm_int8_threshold|low_freq_factor|partial_rotary_factor|rms_norm_eps|rope_theta)": -?\d+)(?=,?\n)/g;

/** The dtype that the model's config.json names, in either spelling; undefined where it names none that a model is saved in. */
export function configuredDtype({ configJson }: DecoderForCausalLM): SaveDtype | undefined {
  const named = String(configJson.dtype ?? configJson.torch_dtype).replace(/^torch\./, "");
  return (Object.keys(torchDtypes) as SaveDtype[]).find((dtype) => torchDtypes[dtype] === named);
}

/**
 * The text of config.json: the fields that the model was loaded with, sorted and indented as transformers does it, with the dtype of the saved weights and
 * what `quantization_config` says of those in four bits.
 */
export function formatSavedConfig(model: DecoderForCausalLM, dtype: SaveDtype): string {
  const { dtype: _dtype, torch_dtype: _torchDtype, quantization_config: _quantization, ...fields } = model.configJson;
  const quantization = quantizationOf(model);
  const spelling = "torch_dtype" in model.configJson && !("dtype" in model.configJson) ? "torch_dtype" : "dtype"; // transformers 5 reads both
  const isSaid = "tie_word_embeddings" in fields || model.isTied; // false is the default of transformers
  const tied = isSaid ? { tie_word_embeddings: model.isTied } : {};
  const saved = { ...fields, ...tied, [spelling]: torchDtypes[dtype], ...(quantization ? { quantization_config: quantization } : {}) };
  return `${JSON.stringify(sorted(saved), null, 2).replace(floats, "$1.0")}\n`;
}

/** `quantization_config` of a model with layers in four bits: its own where that tells which ones they are, else one that does. */
function quantizationOf(model: DecoderForCausalLM): unknown {
  const states = [...model.quantizedWeights.values()].map(({ state }) => state);
  if (states.length === 0) return undefined;
  const isFourBit = (path: string): boolean => model.quantizedWeights.has(`${path}.weight`);
  const paths = [...model.linearLayers.keys()];
  const given = readQuantizationConfig(model.configJson, "config.json");
  if (given && paths.every((path) => isSkipped(path, given.llmInt8SkipModules) !== isFourBit(path))) {
    return model.configJson.quantization_config;
  }
  const plain = paths.filter((path) => !isFourBit(path));
  const config: QuantizationConfig = {
    loadIn4bit: true,
    bnb4bitQuantType: "nf4",
    bnb4bitComputeDtype: given?.bnb4bitComputeDtype ?? states[0]!.dtype,
    bnb4bitUseDoubleQuant: states.some(({ nested }) => nested !== undefined),
    bnb4bitQuantStorage: "uint8",
    llmInt8SkipModules: plain.length === 0 ? null : [model.outputEmbedding, ...plain],
  };
  return writeQuantizationConfig(config);
}

function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value).map(([key, inner]) => [key, sorted(inner)] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}
