import { ignored, refused, type OtherFields } from "@kto/core/config";

/**
 * Fields of peft's configs that are none of LoraConfig, by their names on disk. Those that change what the adapter computes are refused unless off,
 * with the reason: an adapter read without them would give other numbers. The others say nothing about a saved adapter's arithmetic and are read past.
 */
export const otherFields: OtherFields = {
  alora_invocation_tokens: refused("the adapter would act from an invocation sequence on"),
  arrow_config: refused("routing between adapters"),
  auto_mapping: ignored(),
  corda_config: ignored(),
  ensure_weight_tying: ignored(),
  eva_config: ignored(),
  fan_in_fan_out: refused("base weights stored as [in, out]"),
  inference_mode: ignored("always written true, as peft does"),
  kasa_config: refused("another factorisation"),
  layer_replication: refused("layers used several times"),
  loftq_config: ignored(),
  lora_bias: refused("a bias on B"),
  lora_ga_config: ignored(),
  megatron_config: refused("layers split over devices"),
  megatron_core: ignored(),
  monteclora_config: refused("sampled adapters"),
  peft_type: ignored("any other value is refused; the only field a file must have"),
  peft_version: ignored(),
  qalora_group_size: ignored(),
  target_parameters: refused("adapters on bare parameters"),
  trainable_token_indices: refused("trained rows of the embedding"),
  use_bdlora: refused("block-diagonal factors"),
  use_dora: refused("a magnitude vector per output"),
  use_qalora: refused("pooled inputs"),
  velora_config: refused("compressed activations"),
};

/** What peft 0.14 writes besides the fields of LoraConfig. */
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
  peft_type: "LORA",
  use_dora: false,
};
