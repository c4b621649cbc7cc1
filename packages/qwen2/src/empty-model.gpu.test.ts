import { fixturePath } from "@kto/testing/workspace";
import { rehearsalDevice, requestDevice } from "@kto/tensor";
import { expect, it } from "vitest";
import { emptyCausalLM, loadCausalLM, type EmptyModelOptions } from "./index.js";
import { fileDirectory } from "./node.js";

it.each<[string, Omit<EmptyModelOptions, "device">]>([
  ["whole", {}],
  ["in four bits", { quantization: { loadIn4bit: true } }],
  ["in four bits, twice", { quantization: { loadIn4bit: true, bnb4bitUseDoubleQuant: true } }],
  ["in four bits but for a projection", { quantization: { loadIn4bit: true, llmInt8SkipModules: ["lm_head", "q_proj"] } }],
  ["to be trained", { trainable: true }],
])("a model without its weights has the memory of one that was loaded, %s", async (_how, options) => {
  await using device = await requestDevice();
  using loaded = await loadCausalLM(fileDirectory(fixturePath("model")), { device, ...options });
  using rehearsal = rehearsalDevice(device.capabilities);
  using empty = emptyCausalLM(loaded.config, { device: rehearsal, ...options });
  const [there, here] = [device.memory.info(), rehearsal.memory.info()];
  expect(here.inUseBytes).toBe(there.inUseBytes);
  expect(here.liveStorages).toBe(there.liveStorages);
  expect(empty.weightBytes).toBe(loaded.weightBytes);
  expect(empty.quantizedWeights.size).toBe(loaded.quantizedWeights.size);
  expect(empty.numParameters).toBe(loaded.numParameters);
});
