import { excerpt } from "@kto/core";
import { QuantizationConfigError } from "./errors.js";
import { weightDtypes, type WeightDtype } from "./weight-dtype.js";

/** What `quantization_config` says of a model in four bits; names and defaults of transformers' `BitsAndBytesConfig`. */
export interface QuantizationConfig {
  readonly loadIn4bit: true;
  readonly bnb4bitQuantType: "nf4";
  /** Dtype of the products, not of the weights. */
  readonly bnb4bitComputeDtype: WeightDtype;
  readonly bnb4bitUseDoubleQuant: boolean;
  /** Dtype under which packed codes are stored. */
  readonly bnb4bitQuantStorage: string;
  /** Modules in 16 bits; of 4-bit models too, despite the name. Null: the output embedding. */
  readonly llmInt8SkipModules: readonly string[] | null;
}

/**
 * Reads `quantization_config` of a parsed config.json, given the whole file or that object; undefined if there is none. `source` is for messages.
 * Throws QuantizationConfigError for anything but NF4 of bitsandbytes.
 */
export function readQuantizationConfig(json: unknown, source: string): QuantizationConfig | undefined {
  const fields = fieldsOf(json);
  if (!fields) return undefined;
  const fail = (field: string, expected: string, advice = ""): never => {
    const got = fields[field] === undefined ? "nothing" : excerpt(fields[field]);
    throw new QuantizationConfigError(
      `quantization_config: ${source}: ${field} is not supported; expected ${expected}, got ${got}${advice}`,
      {
        field,
      },
    );
  };
  const flag = (field: string, byDefault: boolean): boolean => {
    const value = fields[field] ?? fields[`_${field}`] ?? byDefault;
    return typeof value === "boolean" ? value : fail(field, "true or false");
  };
  expectBitsandbytes(json, source);
  if (flag("load_in_8bit", false)) fail("load_in_8bit", "false", "; take the model's 16-bit or 4-bit repository");
  if (!flag("load_in_4bit", false)) fail("load_in_4bit", "true");
  if (fields["bnb_4bit_quant_type"] !== "nf4")
    fail("bnb_4bit_quant_type", '"nf4"', '; where the field is missing, bitsandbytes means "fp4"');
  const computeDtype = fields["bnb_4bit_compute_dtype"] ?? "float32";
  const dtype = weightDtypes.find((name) => name === computeDtype || `torch.${name}` === computeDtype);
  const storage = fields["bnb_4bit_quant_storage"] ?? "uint8";
  if (typeof storage !== "string") fail("bnb_4bit_quant_storage", "the name of a dtype");
  const skipModules = fields["llm_int8_skip_modules"] ?? null;
  if (skipModules !== null && !(Array.isArray(skipModules) && skipModules.every((entry) => typeof entry === "string")))
    fail("llm_int8_skip_modules", "a list of module names or null");
  return {
    loadIn4bit: true,
    bnb4bitQuantType: "nf4",
    bnb4bitComputeDtype: dtype ?? fail("bnb_4bit_compute_dtype", weightDtypes.join(", ")),
    bnb4bitUseDoubleQuant: flag("bnb_4bit_use_double_quant", false),
    bnb4bitQuantStorage: (storage as string).replace(/^torch\./, ""),
    llmInt8SkipModules: skipModules as string[] | null,
  };
}

/**
 * Throws QuantizationConfigError if config.json (the whole, or its `quantization_config`) says that something other than bitsandbytes quantised the
 * model: weights may then only look like plain ones. What is in four bits the weights tell.
 */
export function expectBitsandbytes(json: unknown, source: string): void {
  const field = "quant_method";
  const method = fieldsOf(json)?.[field] ?? "bitsandbytes";
  if (method === "bitsandbytes") return;
  throw new QuantizationConfigError(
    `quantization_config: ${source}: ${field} is not supported; expected "bitsandbytes", got ${excerpt(method)}; take the model's 16-bit repository`,
    { field },
  );
}

/** `quantization_config` as transformers writes it: every key, sorted. `formatModelConfig` makes a file of it that Python reads. */
export function writeQuantizationConfig(config: QuantizationConfig): Record<string, unknown> {
  return {
    _load_in_4bit: true,
    _load_in_8bit: false,
    bnb_4bit_compute_dtype: config.bnb4bitComputeDtype,
    bnb_4bit_quant_storage: config.bnb4bitQuantStorage,
    bnb_4bit_quant_type: config.bnb4bitQuantType,
    bnb_4bit_use_double_quant: config.bnb4bitUseDoubleQuant,
    llm_int8_enable_fp32_cpu_offload: false,
    llm_int8_has_fp16_weight: false,
    llm_int8_skip_modules: config.llmInt8SkipModules === null ? null : [...config.llmInt8SkipModules],
    llm_int8_threshold: 6.0,
    load_in_4bit: true,
    load_in_8bit: false,
    quant_method: "bitsandbytes",
  };
}

function fieldsOf(json: unknown): Record<string, unknown> | undefined {
  if (typeof json !== "object" || json === null) return undefined;
  const outer = json as Record<string, unknown>;
  const inner = "quantization_config" in outer ? outer["quantization_config"] : outer;
  if (typeof inner !== "object" || inner === null) return undefined;
  const fields = inner as Record<string, unknown>;
  const isOne = inner !== outer || ["quant_method", "load_in_4bit", "load_in_8bit", "_load_in_4bit"].some((field) => field in fields);
  return isOne ? fields : undefined;
}
