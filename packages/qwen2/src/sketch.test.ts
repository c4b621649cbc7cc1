import { memoryStore } from "@kto/core";
import { rehearsalDevice, type CausalLM } from "@kto/tensor";
import { matrixGpu } from "@kto/testing/workspace";
import { expect, it } from "vitest";
import { emptyCausalLM, readModelConfig, sketchCausalLM } from "./index.js";

const json = {
  model_type: "qwen2",
  architectures: ["Qwen2ForCausalLM"],
  vocab_size: 512,
  hidden_size: 256,
  intermediate_size: 512,
  num_hidden_layers: 8,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  rms_norm_eps: 1e-6,
  rope_theta: 10_000,
  max_position_embeddings: 2048,
  tie_word_embeddings: false,
};
const inFourBits = (skipModules: string[]): object => ({
  quantization_config: {
    quant_method: "bitsandbytes",
    load_in_4bit: true,
    bnb_4bit_quant_type: "nf4",
    bnb_4bit_use_double_quant: true,
    llm_int8_skip_modules: skipModules,
  },
});

/** Kernels of a forward pass over two rows. */
function kernelsOf(model: CausalLM): string[] {
  const { device } = model;
  model.prepare?.(200);
  device.memory.rehearse(() => void model.logits(model.hiddenStates(model.packRows([new Array<number>(200).fill(1), [1, 2]]))));
  return device.recorder.anticipated.map(({ key }) => key).sort();
}

it.each([
  ["in full", {}, undefined],
  ["in four bits", inFourBits(["lm_head"]), ["lm_head"]],
  ["in four bits but for parts of some layers", inFourBits(["lm_head", "model.layers.5.mlp"]), ["lm_head", "model.layers.5.mlp"]],
  ["in four bits but for a projection of all layers", inFourBits(["q_proj"]), ["q_proj"]],
])("two layers run the kernels of all: %s", async (_how, quantization, llmInt8SkipModules) => {
  const directory = memoryStore();
  await directory.write("config.json", JSON.stringify({ ...json, ...quantization }));
  using few = rehearsalDevice(matrixGpu);
  using all = rehearsalDevice(matrixGpu);
  using sketch = await sketchCausalLM(directory, { device: few });
  using whole = emptyCausalLM(readModelConfig(json), {
    device: all,
    ...(llmInt8SkipModules && { quantization: { loadIn4bit: true, bnb4bitUseDoubleQuant: true, llmInt8SkipModules } }),
  });
  expect(sketch.layers).toHaveLength(2);
  expect(kernelsOf(sketch)).toEqual(expect.arrayContaining(kernelsOf(whole)));
});
