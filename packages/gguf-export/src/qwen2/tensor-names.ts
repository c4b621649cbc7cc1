import { excerpt, FormatError } from "@kto/core";

/** Names outside of the layers. A checkpoint without a head has them without `model.` before. */
const outside: Readonly<Record<string, string>> = {
  "embed_tokens.weight": "token_embd.weight",
  "norm.weight": "output_norm.weight",
};

const HEAD = "lm_head.weight";

/** Names within a layer. */
const inLayer: Readonly<Record<string, string>> = {
  "input_layernorm.weight": "attn_norm.weight",
  "self_attn.q_proj.weight": "attn_q.weight",
  "self_attn.q_proj.bias": "attn_q.bias",
  "self_attn.k_proj.weight": "attn_k.weight",
  "self_attn.k_proj.bias": "attn_k.bias",
  "self_attn.v_proj.weight": "attn_v.weight",
  "self_attn.v_proj.bias": "attn_v.bias",
  "self_attn.o_proj.weight": "attn_output.weight",
  "post_attention_layernorm.weight": "ffn_norm.weight",
  "mlp.gate_proj.weight": "ffn_gate.weight",
  "mlp.up_proj.weight": "ffn_up.weight",
  "mlp.down_proj.weight": "ffn_down.weight",
};

/** Buffers that old checkpoints hold and that are computed. */
const COMPUTED = /\.rotary_emb\.inv_freq$|\.attention\.(masked_)?bias$/;

/** What only weights of bitsandbytes have beside them. */
const QUANTIZED = /\.(absmax|quant_map|SCB|weight_format)$|\.quant_state\b|\.nested_/;

/**
 * The GGUF name of a tensor of a Qwen2 checkpoint, or undefined for one that is computed and not written. Values and order of bytes stay as they are.
 *
 * @throws FormatError for a tensor that a Qwen2 model does not have: left out in silence, the model would be another
 */
export function ggufTensorName(name: string): string | undefined {
  const plain = name.replace(/^base_model\.model\./, "").replace(/\.base_layer(?=\.)/, "");
  if (COMPUTED.test(plain)) return undefined;
  const [, layer, rest] = /^(?:model\.)?layers\.(0|[1-9]\d{0,5})\.(.+)$/.exec(plain) ?? [];
  if (plain === HEAD) return "output.weight";
  const found = rest === undefined ? own(outside, plain.replace(/^model\./, "")) : own(inLayer, rest);
  if (found !== undefined) return rest === undefined ? found : `blk.${layer}.${found}`;
  const problem = QUANTIZED.test(plain)
    ? "belongs to weights in four or eight bits of bitsandbytes; expected 16 or 32 bits; dequantise the checkpoint first"
    : "is none of a Qwen2 model; expected the embedding, the layers' weights and biases, the norm and the head; merge adapters first";
  throw new FormatError(`ggufTensorName: tensor ${excerpt(name, 120)} ${problem}`, { tensor: name });
}

/**
 * The name in a checkpoint of a tensor of a Qwen2 GGUF file: the other way round.
 *
 * @throws FormatError for a tensor that such a model does not have
 */
export function checkpointTensorName(name: string): string {
  const [, layer, rest] = /^blk\.(0|[1-9]\d{0,5})\.(.+)$/.exec(name) ?? [];
  const found = rest === undefined ? keyOf(outside, name) : keyOf(inLayer, rest);
  if (name === "output.weight") return HEAD;
  if (found !== undefined) return rest === undefined ? `model.${found}` : `model.layers.${layer}.${found}`;
  throw new FormatError(
    `checkpointTensorName: tensor ${excerpt(name, 120)} is none of a Qwen2 model; expected token_embd, output_norm, output or one of blk.N`,
    { tensor: name },
  );
}

function keyOf(names: Readonly<Record<string, string>>, value: string): string | undefined {
  return Object.keys(names).find((key) => names[key] === value);
}

function own(names: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(names, name) ? names[name] : undefined;
}
