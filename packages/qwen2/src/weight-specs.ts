import type { Shape } from "@kto/tensor";
import type { Qwen2Config } from "./config.js";

/** Where a weight is and what it must look like. */
export interface WeightSpec {
  name: string;
  shape: Shape;
  /** A matrix: it takes the model's dtype; the others stay f32. */
  operand: boolean;
  /** Path of the linear layer it is the weight of, which may hold it in four bits; undefined for all else. */
  linear?: string;
}

function linear(path: string, shape: Shape): WeightSpec {
  return { name: `${path}.weight`, shape, operand: true, linear: path };
}

/** Every tensor of a Qwen2 checkpoint, in the order of the forward pass. */
export function weightSpecs(config: Qwen2Config): WeightSpec[] {
  const { hiddenSize, intermediateSize, vocabSize, headDim } = config;
  const querySize = config.numAttentionHeads * headDim;
  const keyValueSize = config.numKeyValueHeads * headDim;
  const specs: WeightSpec[] = [{ name: "model.embed_tokens.weight", shape: [vocabSize, hiddenSize], operand: true }];
  for (let layer = 0; layer < config.numHiddenLayers; layer++) {
    const at = `model.layers.${layer}`;
    specs.push({ name: `${at}.input_layernorm.weight`, shape: [hiddenSize], operand: false });
    for (const [projection, outFeatures] of [
      ["q_proj", querySize],
      ["k_proj", keyValueSize],
      ["v_proj", keyValueSize],
    ] as const) {
      specs.push(linear(`${at}.self_attn.${projection}`, [outFeatures, hiddenSize]));
      specs.push({ name: `${at}.self_attn.${projection}.bias`, shape: [outFeatures], operand: false });
    }
    specs.push(linear(`${at}.self_attn.o_proj`, [hiddenSize, querySize]));
    specs.push({ name: `${at}.post_attention_layernorm.weight`, shape: [hiddenSize], operand: false });
    specs.push(linear(`${at}.mlp.gate_proj`, [intermediateSize, hiddenSize]));
    specs.push(linear(`${at}.mlp.up_proj`, [intermediateSize, hiddenSize]));
    specs.push(linear(`${at}.mlp.down_proj`, [hiddenSize, intermediateSize]));
  }
  specs.push({ name: "model.norm.weight", shape: [hiddenSize], operand: false });
  if (!config.tieWordEmbeddings) specs.push({ name: "lm_head.weight", shape: [vocabSize, hiddenSize], operand: true });
  return specs;
}
