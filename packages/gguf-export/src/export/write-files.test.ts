import { memoryStore } from "@kto/core";
import { expect, it } from "vitest";
import { openGguf } from "../container/gguf-file.js";
import { tensorTypes } from "../mix.js";
import { quantize } from "../quantize.js";
import { hyperParameters } from "../qwen2/hyper-parameters.js";
import { modelTensors } from "../qwen2/model-tensors.js";
import { fixtureModel } from "../testing/fixture-model.js";
import { planShards } from "./shards.js";
import { writeFiles } from "./write-files.js";

it("tensors that are written in pieces of a few rows are those that are written whole, weighed by the columns' importance or not", async () => {
  const { weights, config } = await fixtureModel("model");
  const { sizes } = hyperParameters(config);
  const tensors = modelTensors(weights, sizes);
  const shapes = new Map(tensors.map((tensor) => [tensor.name, tensor.shape]));
  const types = tensorTypes("Q4_0", tensors, sizes);
  const specs = Array.from(types, ([name, type]) => ({ name, type, shape: shapes.get(name)! }));
  const importance = new Map([["blk.0.ffn_down.weight", Float32Array.from({ length: 160 }, (_, column) => 1 + (column % 7))]]);
  const store = memoryStore();
  let written = 0;
  await writeFiles([{ shards: planShards("model.gguf", [], specs), types }], {
    store,
    weights,
    tensors: specs.map(({ name }) => tensors.find((tensor) => tensor.name === name)!),
    quantizer: { quantize: async (type, values, options) => quantize(values, type, options) },
    importance,
    pieceValues: 500, // 7 rows of 64 values, 3 of 160, and fewer at the end
    onWritten: (bytes) => (written += bytes),
  });
  const source = (await store.open("model.gguf"))!;
  expect(written).toBe(source.byteLength);
  const file = await openGguf(source);
  for (const { name, source: weight } of tensors) {
    const whole = quantize(await weights.read(weight), types.get(name)!, { importance: importance.get(name) });
    expect(await file.read(name), name).toEqual(whole);
  }
  const plain = quantize(await weights.read("model.layers.0.mlp.down_proj.weight"), "Q4_0");
  expect(await file.read("blk.0.ffn_down.weight")).not.toEqual(plain);
});
