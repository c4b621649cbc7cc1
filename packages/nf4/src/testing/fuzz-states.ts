import { readFile } from "node:fs/promises";
import { bytesSource } from "@kto/core";
import { openSafetensors } from "@kto/safetensors";
import { deepened, deepMark, fixturePath, type FuzzedReader } from "@kto/testing/workspace";
import { isNf4Weight, readQuantState } from "../disk/read-weight.js";
import { parseStateJson } from "../disk/state-json.js";
import { expectBitsandbytes, readQuantizationConfig } from "../quantization-config.js";
import { isSkipped } from "../skip-modules.js";

const encodeJson = (json: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(json));
const config = {
  quant_method: "bitsandbytes",
  load_in_4bit: true,
  load_in_8bit: false,
  bnb_4bit_quant_type: "nf4",
  bnb_4bit_compute_dtype: "bfloat16",
  bnb_4bit_quant_storage: "uint8",
  bnb_4bit_use_double_quant: true,
  llm_int8_skip_modules: ["lm_head", "model.layers.0"],
};
const state = {
  quant_type: "nf4",
  blocksize: 64,
  dtype: "bfloat16",
  shape: [64, 64],
  nested_blocksize: 256,
  nested_dtype: "float32",
  nested_offset: 0.05,
};

export const fuzzedReaders: readonly FuzzedReader[] = [
  {
    name: "quantization-config",
    kind: "json",
    seeds: async () =>
      [config, { ...config, quant_method: deepMark }, { ...config, llm_int8_skip_modules: deepMark }].map((fields) =>
        encodeJson({ quantization_config: fields }),
      ),
    read: async (input) => {
      let json: unknown;
      try {
        json = JSON.parse(new TextDecoder().decode(deepened(input)));
      } catch {
        return; // whoever opens a folder refuses it before
      }
      expectBitsandbytes(json, "config.json");
      const read = readQuantizationConfig(json, "config.json");
      if (read) isSkipped("model.layers.0.self_attn.q_proj", read.llmInt8SkipModules);
    },
  },
  {
    name: "quant-state",
    kind: "json",
    seeds: async () => [state, { ...state, shape: deepMark }, { ...state, dtype: deepMark }].map(encodeJson),
    read: async (input) => void parseStateJson(deepened(input), "w.quant_state.bitsandbytes__nf4"),
  },
  {
    name: "quantized-weights",
    kind: "bytes",
    seeds: async () => [await readFile(fixturePath("nf4/model-dynamic/model.safetensors"))],
    read: async (input) => {
      const file = await openSafetensors(bytesSource(input, "model.safetensors"));
      const names = [...file.tensors.keys()].filter((name) => name.endsWith(".weight") && isNf4Weight(file, name));
      for (const name of names) await readQuantState(file, name);
    },
  },
];
