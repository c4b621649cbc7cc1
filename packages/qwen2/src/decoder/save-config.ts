import { isSkipped, readQuantizationConfig, writeQuantizationConfig, type QuantizationConfig, type QuantState } from "@kto/nf4";

/** Dtypes that weights can be saved in, as transformers calls them in `config.json`. */
export const torchDtypes = { f32: "float32", f16: "float16", bf16: "bfloat16" } as const;

/** Dtype of weights in a file that are not in four bits. */
export type SaveDtype = keyof typeof torchDtypes;

/** Fields that are floats in Python, whose readers may ask for one: a whole number there is spelt `6.0`, which JSON.stringify does not do. */
const floats =
  /("(?:attention_dropout|attention_factor|factor|high_freq_factor|initializer_range|llm_int8_threshold|low_freq_factor|partial_rotary_factor|rms_norm_eps|rope_theta)": -?\d+)(?=,?\n)/g;

/** What a saved model's config.json says anew; its other fields stay as they were. */
export interface SavedConfig {
  /** Of the weights that are not in four bits. */
  readonly dtype: SaveDtype;
  readonly isTied: boolean;
  /** `quantization_config`; undefined for a model without layers in four bits. */
  readonly quantization?: unknown;
}

/** The dtype that the fields of a config.json name, in either spelling; undefined where they name none that a model is saved in. */
export function configuredDtype(configJson: Readonly<Record<string, unknown>>): SaveDtype | undefined {
  const named = String(configJson.dtype ?? configJson.torch_dtype).replace(/^torch\./, "");
  return (Object.keys(torchDtypes) as SaveDtype[]).find((dtype) => torchDtypes[dtype] === named);
}

/**
 * The text of config.json: the fields that the model was loaded with, sorted and indented as transformers does it, with the dtype of the saved weights and
 * what `quantization_config` says of those in four bits.
 */
export function formatSavedConfig(configJson: Readonly<Record<string, unknown>>, { dtype, isTied, quantization }: SavedConfig): string {
  const { dtype: _dtype, torch_dtype: _torchDtype, quantization_config: _quantization, ...fields } = configJson;
  const spelling = "torch_dtype" in configJson && !("dtype" in configJson) ? "torch_dtype" : "dtype"; // transformers 5 reads both
  const isSaid = "tie_word_embeddings" in fields || isTied; // false is the default of transformers
  const tied = isSaid ? { tie_word_embeddings: isTied } : {};
  const saved = { ...fields, ...tied, [spelling]: torchDtypes[dtype], ...(quantization ? { quantization_config: quantization } : {}) };
  return `${JSON.stringify(sorted(saved), null, 2).replace(floats, "$1.0")}\n`;
}

/** A linear layer and, where it is in four bits, how. */
export interface QuantizedLayers {
  /** Paths of all linear layers of the decoder. */
  readonly paths: readonly string[];
  /** By path, of those in four bits. */
  readonly states: ReadonlyMap<string, Pick<QuantState, "dtype" | "nested">>;
  readonly outputEmbedding: string;
}

/** `quantization_config` of a model with layers in four bits: that of its config.json where it tells which ones they are, else one that does. */
export function quantizationOf(
  configJson: Readonly<Record<string, unknown>>,
  { paths, states, outputEmbedding }: QuantizedLayers,
): unknown {
  const [first] = states.values();
  if (!first) return undefined;
  const given = readQuantizationConfig(configJson, "config.json");
  if (given && paths.every((path) => isSkipped(path, given.llmInt8SkipModules) !== states.has(path))) {
    return configJson.quantization_config;
  }
  const plain = paths.filter((path) => !states.has(path));
  const config: QuantizationConfig = {
    loadIn4bit: true,
    bnb4bitQuantType: "nf4",
    bnb4bitComputeDtype: given?.bnb4bitComputeDtype ?? first.dtype,
    bnb4bitUseDoubleQuant: [...states.values()].some(({ nested }) => nested !== undefined),
    bnb4bitQuantStorage: "uint8",
    llmInt8SkipModules: plain.length === 0 ? null : [outputEmbedding, ...plain],
  };
  return writeQuantizationConfig(config);
}

function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value).map(([key, inner]) => [key, sorted(inner)] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}
