/**
 * Fields of peft's configs that change what the adapter computes and that this package does not do, by their names on disk,
 * with the reason. They are refused unless off: an adapter read without them would give other numbers.
 */
export const refusedFields: Readonly<Record<string, string>> = {
  alora_invocation_tokens: "the adapter would act from an invocation sequence on",
  arrow_config: "routing between adapters",
  fan_in_fan_out: "base weights stored as [in, out]",
  kasa_config: "another factorisation",
  layer_replication: "layers used several times",
  lora_bias: "a bias on B",
  megatron_config: "layers split over devices",
  modules_to_save: "modules trained in full",
  monteclora_config: "sampled adapters",
  target_parameters: "adapters on bare parameters",
  trainable_token_indices: "trained rows of the embedding",
  use_bdlora: "block-diagonal factors",
  use_dora: "a magnitude vector per output",
  use_qalora: "pooled inputs",
  velora_config: "compressed activations",
};

/** Fields that say nothing about a saved adapter's arithmetic: read past, and written as peft's defaults where its 0.14 set has them. */
export const inertFields: ReadonlySet<string> = new Set([
  "auto_mapping",
  "corda_config",
  "ensure_weight_tying",
  "eva_config",
  "inference_mode",
  "loftq_config",
  "lora_ga_config",
  "megatron_core",
  "peft_type",
  "peft_version",
  "qalora_group_size",
]);

/** What peft 0.14 writes besides the supported fields. */
export const constantFields: Readonly<Record<string, unknown>> = {
  auto_mapping: null,
  eva_config: null,
  fan_in_fan_out: false,
  inference_mode: true,
  layer_replication: null,
  loftq_config: {},
  lora_bias: false,
  megatron_config: null,
  megatron_core: "megatron.core",
  modules_to_save: null,
  peft_type: "LORA",
  use_dora: false,
};

/** True for the values with which peft says that a field is not in use: null, false, and empty lists and maps. */
export function isOff(value: unknown): boolean {
  if (value === undefined || value === null || value === false) return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}
