import { bytesSource, type ByteDirectory } from "@kto/core";
import { encodeSafetensors } from "@kto/safetensors";
import { deepened, deepMark, type FuzzedReader } from "@kto/testing/workspace";
import { formatAdapterConfig, parseAdapterConfig } from "../config-file.js";
import type { LoraConfig } from "../config.js";
import { readAdapter } from "../load-adapter.js";
import { adapterModelCard } from "../model-card.js";
import { resolveTargets } from "../target-modules.js";
import { qwen2Tree, tinySizes } from "./qwen2-tree.js";

const model = qwen2Tree({ ...tinySizes, num_hidden_layers: 12 });
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const encodeJson = (json: unknown): Uint8Array => encode(JSON.stringify(json));
const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

const good = {
  peft_type: "LORA",
  task_type: "CAUSAL_LM",
  base_model_name_or_path: "Qwen/Qwen2.5-0.5B",
  r: 8,
  lora_alpha: 16,
  lora_dropout: 0.05,
  use_rslora: true,
  target_modules: ["q_proj", "v_proj"],
  exclude_modules: ["lm_head"],
  layers_to_transform: [0, 1],
  layers_pattern: ["layers"],
  rank_pattern: { q_proj: 4, "layers\\.[01]\\.self_attn\\.v_proj": 2 },
  alpha_pattern: { q_proj: 8 },
  init_lora_weights: true,
  bias: "none",
  modules_to_save: null,
  peft_version: "0.21.2",
  use_dora: false,
  layer_replication: null,
  trainable_token_indices: null,
};
const expression = String.raw`^(model\.layers(?=\.).*\.(up_proj|v_proj|[qk]_proj))$`;

/** What once was no typed error, or never came back. */
const onceBroken: readonly object[] = [
  { r: deepMark },
  { use_dora: deepMark },
  { peft_type: deepMark },
  { target_modules: "a".repeat(100_000) },
  { target_modules: "(".repeat(5_000) },
  { target_modules: "(a+)+$" },
  { target_modules: "([a-z.]+)+!" },
  { target_modules: "((a{99}){99}){99}" },
  { rank_pattern: { "(.*)*x": 1 } },
];

/** Everything that is done with a config before there is a device. */
function use(config: LoraConfig): void {
  resolveTargets(model, config, { isSaved: true });
  formatAdapterConfig(config);
  adapterModelCard(config);
}

const embedding = { dtype: "F32", shape: [512, 64], data: new Float32Array(512 * 64) } as const;

async function adapterFiles(isWithHead: boolean): Promise<Uint8Array> {
  const a = { dtype: "F32", shape: [2, 64], data: new Float32Array(128) } as const;
  const names = [0, 1].map((layer) => `base_model.model.model.layers.${layer}.self_attn.q_proj`);
  return encodeSafetensors([
    ...names.map((name) => [`${name}.lora_A.weight`, a] as const),
    ...names.map((name) => [`${name}.lora_B.weight`, { ...a, shape: [64, 2] }] as const),
    ...(isWithHead ? ([["base_model.model.lm_head.weight", embedding]] as const) : []),
  ]);
}

const adapterConfig = JSON.stringify({ peft_type: "LORA", r: 2, target_modules: ["q_proj"], layers_to_transform: [0, 1] });

export const fuzzedReaders: readonly FuzzedReader[] = [
  {
    name: "adapter-config",
    kind: "json",
    seeds: async () =>
      [
        good,
        { ...good, target_modules: expression, layers_to_transform: null, layers_pattern: null },
        ...onceBroken.map((fields) => ({ ...good, ...fields })),
      ].map((json) => encodeJson(json)),
    read: async (input) => use(parseAdapterConfig(decode(deepened(input)))),
  },
  {
    name: "target-expression",
    kind: "text",
    seeds: async () => [expression, ".*q_proj", "(.*)*x", String.raw`(?i)model\.(?P<a>[^]x-z]+|\d{1,3}?)(?<!q)_proj$`].map(encode),
    read: async (input) =>
      use({
        ...parseAdapterConfig(adapterConfig),
        layersToTransform: null,
        targetModules: decode(input) || ".",
        rankPattern: { [decode(input)]: 1 },
      }),
  },
  {
    name: "adapter-file",
    kind: "bytes",
    seeds: async () => [await adapterFiles(false), await adapterFiles(true)],
    read: async (input) => {
      const files: Record<string, Uint8Array> = { "adapter_config.json": encode(adapterConfig), "adapter_model.safetensors": input };
      const folder: ByteDirectory = { name: "adapter", open: async (name) => (files[name] ? bytesSource(files[name], name) : undefined) };
      await readAdapter(folder, model);
    },
  },
];
