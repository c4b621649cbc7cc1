import type { LoraConfig } from "./config.js";

/** One supported field: its name on disk, peft's default, and what a value must be. */
export interface FieldRule {
  readonly onDisk: string;
  readonly initial: unknown;
  readonly expected: string;
  holds(value: unknown): boolean;
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) > 0;
const isPositive = (value: unknown): boolean => typeof value === "number" && Number.isFinite(value) && value > 0;
const isName = (value: unknown): boolean => typeof value === "string" && value !== "";
const isLayer = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
const isListOf =
  (holds: (value: unknown) => boolean) =>
  (value: unknown): boolean =>
    Array.isArray(value) && value.length > 0 && value.every(holds);
const isMapOf =
  (holds: (value: unknown) => boolean) =>
  (value: unknown): boolean =>
    typeof value === "object" && value !== null && !Array.isArray(value) && Object.values(value).every(holds);
const orNull =
  (holds: (value: unknown) => boolean) =>
  (value: unknown): boolean =>
    value === null || holds(value);
const isNameOrNames = (value: unknown): boolean => isName(value) || isListOf(isName)(value);

const modules = "a regular expression, a list of at least one name, or null";

/** The supported fields of LoraConfig, once: defaults are peft's, except `taskType`. */
export const fieldRules: { readonly [Field in keyof LoraConfig]: FieldRule } = {
  r: { onDisk: "r", initial: 8, expected: "a whole number above 0", holds: isCount },
  loraAlpha: { onDisk: "lora_alpha", initial: 8, expected: "a number above 0", holds: isPositive },
  loraDropout: {
    onDisk: "lora_dropout",
    initial: 0,
    expected: "a number from 0 to below 1",
    holds: (value) => typeof value === "number" && value >= 0 && value < 1,
  },
  useRslora: { onDisk: "use_rslora", initial: false, expected: "true or false", holds: (value) => typeof value === "boolean" },
  targetModules: { onDisk: "target_modules", initial: null, expected: `"all-linear", ${modules}`, holds: orNull(isNameOrNames) },
  excludeModules: { onDisk: "exclude_modules", initial: null, expected: modules, holds: orNull(isNameOrNames) },
  layersToTransform: {
    onDisk: "layers_to_transform",
    initial: null,
    expected: "a layer number, a list of at least one, or null",
    holds: orNull((value) => isLayer(value) || isListOf(isLayer)(value)),
  },
  layersPattern: {
    onDisk: "layers_pattern",
    initial: null,
    expected: "a name, a list of at least one, or null",
    holds: orNull(isNameOrNames),
  },
  rankPattern: {
    onDisk: "rank_pattern",
    initial: {},
    expected: "a map of name patterns to whole numbers above 0",
    holds: isMapOf(isCount),
  },
  alphaPattern: { onDisk: "alpha_pattern", initial: {}, expected: "a map of name patterns to numbers above 0", holds: isMapOf(isPositive) },
  initLoraWeights: {
    onDisk: "init_lora_weights",
    initial: true,
    expected: 'true, false or "gaussian" (others rewrite the base weights or need data)',
    holds: (value) => typeof value === "boolean" || value === "gaussian",
  },
  bias: {
    onDisk: "bias",
    initial: "none",
    expected: '"none" (training biases of the base is not supported)',
    holds: (value) => value === "none",
  },
  baseModelNameOrPath: { onDisk: "base_model_name_or_path", initial: null, expected: "a name, a path or null", holds: orNull(isName) },
  revision: { onDisk: "revision", initial: null, expected: "a revision or null", holds: orNull(isName) },
  taskType: { onDisk: "task_type", initial: "CAUSAL_LM", expected: '"CAUSAL_LM"', holds: (value) => value === "CAUSAL_LM" },
};
