import { EmbeddingModule, type ModuleTree, type Tensor } from "@kto/tensor";

/** Sizes of a Qwen2 model, as its config.json names them. */
export interface Qwen2Sizes {
  hidden_size: number;
  intermediate_size: number;
  num_hidden_layers: number;
  num_attention_heads: number;
  num_key_value_heads: number;
}

/** The module names, linear shapes and default targets of a Qwen2ForCausalLM, without a single weight. */
export function qwen2Tree(sizes: Qwen2Sizes): ModuleTree {
  const hidden = sizes.hidden_size;
  const keyValue = (hidden / sizes.num_attention_heads) * sizes.num_key_value_heads;
  const wide = sizes.intermediate_size;
  const linear = (inFeatures: number, outFeatures: number): object => ({ inFeatures, outFeatures });
  const embedding = new EmbeddingModule(
    () => ({ shape: [512, hidden] }) as unknown as Tensor,
    () => undefined,
  );
  const modules: [string, object][] = [
    ["", {}],
    ["model", {}],
    ["model.embed_tokens", embedding],
  ];
  for (let layer = 0; layer < sizes.num_hidden_layers; layer++) {
    const at = `model.layers.${layer}`;
    modules.push(
      [at, {}],
      [`${at}.self_attn`, {}],
      [`${at}.self_attn.q_proj`, linear(hidden, hidden)],
      [`${at}.self_attn.k_proj`, linear(hidden, keyValue)],
      [`${at}.self_attn.v_proj`, linear(hidden, keyValue)],
      [`${at}.self_attn.o_proj`, linear(hidden, hidden)],
      [`${at}.mlp`, {}],
      [`${at}.mlp.gate_proj`, linear(hidden, wide)],
      [`${at}.mlp.up_proj`, linear(hidden, wide)],
      [`${at}.mlp.down_proj`, linear(wide, hidden)],
      [`${at}.input_layernorm`, {}],
    );
  }
  modules.push(["model.norm", {}], ["lm_head", embedding]);
  return { modelType: "qwen2", outputEmbedding: "lm_head", defaultTargetModules: ["q_proj", "v_proj"], namedModules: () => modules };
}

/** The fixtures' model. */
export const tinySizes: Qwen2Sizes = {
  hidden_size: 64,
  intermediate_size: 160,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
};
