import { readFile } from "node:fs/promises";
import { bytesSource } from "@kto/core";
import { encodeSafetensors, openSafetensors, type TensorToWrite } from "@kto/safetensors";
import { sizeOf } from "@kto/tensor";
import { deepened, deepMark, fixturePath, type FuzzedReader } from "@kto/testing/workspace";
import { readModelConfig, weightSpecs } from "../auto.js";
import { writeQwen2Config } from "../config.js";
import { expectWeights } from "../decoder/expect-weights.js";
import { ropeFrequencies } from "../decoder/rope-scaling.js";
import { rowLimit } from "../decoder/row-limit.js";
import { settleTying } from "../decoder/tied-head.js";
import { qwen2 } from "../qwen2.js";
import { tinyConfig } from "./tiny-config.js";

const encodeJson = (json: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(json));
const parsed = (bytes: Uint8Array): unknown => {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined; // whoever opens a folder refuses it before
  }
};

async function configs(): Promise<Uint8Array[]> {
  const model = JSON.parse(await readFile(fixturePath("model/config.json"), "utf8")) as object;
  const { cases } = JSON.parse(await readFile(fixturePath("rope/cases.json"), "utf8")) as { cases: { config: object }[] };
  const quantized = {
    quantization_config: {
      quant_method: "bitsandbytes",
      load_in_4bit: true,
      bnb_4bit_quant_type: "nf4",
      llm_int8_skip_modules: ["lm_head"],
    },
  };
  const sliding = { use_sliding_window: true, sliding_window: 64, max_window_layers: 1, layer_types: null };
  const onceBroken = [
    { model_type: deepMark },
    { quantization_config: { quant_method: deepMark } },
    { hidden_size: deepMark },
    { rope_scaling: deepMark },
  ];
  return [{}, quantized, sliding, ...cases.map(({ config }) => config), ...onceBroken].map((fields) => encodeJson({ ...model, ...fields }));
}

async function checkpoint(isTied: boolean): Promise<Uint8Array> {
  const specs = weightSpecs({ ...tinyConfig, tieWordEmbeddings: isTied });
  return encodeSafetensors(
    specs.map(({ name, shape }): [string, TensorToWrite] => [
      name,
      { dtype: "F32", shape: [...shape], data: new Float32Array(sizeOf(shape)) },
    ]),
  );
}

export const fuzzedReaders: readonly FuzzedReader[] = [
  {
    name: "model-config",
    kind: "json",
    seeds: configs,
    read: async (input) => {
      const config = readModelConfig(parsed(deepened(input)));
      rowLimit(config);
      for (const longest of [1, 100, config.maxPositionEmbeddings + 1]) ropeFrequencies(config, longest);
      readModelConfig(JSON.parse(JSON.stringify(writeQwen2Config(config))));
      weightSpecs(config);
    },
  },
  {
    name: "model-weights",
    kind: "bytes",
    seeds: async () => [await checkpoint(true), await checkpoint(false)],
    read: async (input) => {
      const file = await openSafetensors(bytesSource(input, "model.safetensors"));
      const { reader, tieWordEmbeddings } = await settleTying(file, qwen2, { ...tinyConfig, tieWordEmbeddings: true });
      expectWeights(reader, weightSpecs({ ...tinyConfig, tieWordEmbeddings }));
    },
  },
];
