import { bytesSource } from "@kto/core";
import { fileDirectory } from "@kto/core/node";
import { encodeSafetensors, openSafetensors, type TensorReader, type TensorToWrite } from "@kto/safetensors";
import { requestDevice, type Device } from "@kto/tensor";
import { fixturePath } from "@kto/testing/workspace";
import { afterAll, beforeAll, expect, test } from "vitest";
import { expectNoBuffersLeft } from "../../testing/src/no-buffers-left.js";
import { loadWeights, packRows, Qwen2ForCausalLM, weightSpecs, type LoadProgress, type Qwen2Config } from "./index.js";
import { tinyConfig } from "./testing/tiny-config.js";

const config: Qwen2Config = { ...tinyConfig, tieWordEmbeddings: false };

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device.dispose());
expectNoBuffersLeft(() => device);

test("streams every tensor and reports how far it is", async () => {
  const steps: LoadProgress[] = [];
  const { weights } = await loadWeights(await checkpoint(), weightSpecs(config), {
    device,
    dtype: "f32",
    onProgress: (step) => steps.push(step),
  });
  expect([...weights.keys()]).toEqual(weightSpecs(config).map(({ name }) => name));
  expect(steps.at(-1)!.loadedBytes).toBe(steps.at(-1)!.totalBytes);
  expect((await weights.get("model.layers.0.mlp.up_proj.weight")!.read())[7]).toBe(0.5);
  for (const tensor of weights.values()) tensor.dispose();
});

test("a value that f16 cannot hold names tensor and element", async () => {
  const reader = await checkpoint({ "model.layers.0.mlp.up_proj.weight": (values) => (values[7] = 7e4) });
  await expect(loadWeights(reader, weightSpecs(config), { device, dtype: "f16" })).rejects.toThrow(
    /up_proj\.weight: element 7 does not fit f16; expected at most 65504 in magnitude, got 70000; load with dtype "f32"/,
  );
});

test("a missing tensor, one of another shape, and one that is no float are named before anything is read", async () => {
  const missing = await checkpoint({ "model.norm.weight": () => undefined }, { drop: "model.norm.weight" });
  await expect(loadWeights(missing, weightSpecs(config), { device, dtype: "f32" })).rejects.toThrow(
    /model\.norm\.weight is missing from the checkpoint; expected shape \[6\]/,
  );
  const other = await checkpoint();
  await expect(loadWeights(other, weightSpecs({ ...config, intermediateSize: 12 }), { device, dtype: "f32" })).rejects.toThrow(
    /contradicts config\.json; expected \[12, 6\], got \[10, 6\]/,
  );
  const integers = await checkpoint({}, { integers: "model.norm.weight" });
  await expect(loadWeights(integers, weightSpecs(config), { device, dtype: "f32" })).rejects.toThrow(
    /no plain float; expected F32, F16 or BF16, got I32/,
  );
});

test("8-bit floats, whose scales lie elsewhere, are refused in any layer", async () => {
  for (const dtype of ["F8_E4M3", "F8_E5M2"] as const) {
    const reader = await checkpoint(
      {},
      { others: [["model.layers.0.mlp.up_proj.weight", { dtype, shape: [10, 6], data: new Uint8Array(60) }]] },
    );
    await expect(loadWeights(reader, weightSpecs(config), { device, dtype: "f32" })).rejects.toThrow(
      new RegExp(`up_proj\\.weight has a dtype that is no plain float; expected F32, F16 or BF16, got ${dtype}; take the model's 16-bit`),
    );
  }
});

test("weights that the model of config.json has no place for are named: a layer too many, a norm of Qwen3", async () => {
  const vector: TensorToWrite = { dtype: "F32", shape: [6], data: new Float32Array(6) };
  for (const name of [
    "model.layers.1.input_layernorm.weight",
    "model.layers.0.self_attn.q_norm.weight",
    "model.layers.0.self_attn.o_proj.bias",
  ]) {
    await expect(
      loadWeights(await checkpoint({}, { others: [[name, vector]] }), weightSpecs(config), { device, dtype: "f32" }),
    ).rejects.toThrow(new RegExp(`${name.replaceAll(".", "\\.")} has no place in the model of config\\.json; expected`));
  }
  const reader = await checkpoint({}, { others: [["model.layers.0.self_attn.rotary_emb.inv_freq", vector]] });
  const { weights } = await loadWeights(reader, weightSpecs(config), { device, dtype: "f32" });
  for (const tensor of weights.values()) tensor.dispose();
});

test("an abort stops the load and frees what was loaded", async () => {
  const stop = new AbortController();
  const loading = loadWeights(await checkpoint(), weightSpecs(config), {
    device,
    dtype: "f32",
    signal: stop.signal,
    onProgress: () => stop.abort(new Error("enough")),
  });
  await expect(loading).rejects.toThrow("enough");
});

test("f16 on a device without it is refused; a folder without config.json too", async () => {
  if (!device.capabilities.shaderF16) {
    await expect(Qwen2ForCausalLM.fromPretrained(fileDirectory(fixturePath("model")), { device, dtype: "f16" })).rejects.toThrow(
      /lacks shader-f16.*pass dtype "f32"/,
    );
  }
  await expect(Qwen2ForCausalLM.fromPretrained(fileDirectory(fixturePath("kto")), { device })).rejects.toThrow(/has no config\.json/);
});

test("rows that cannot be: empty, too long, outside the vocabulary", async () => {
  using model = Qwen2ForCausalLM.initialize(config, { device, random: () => 0.1 });
  expect(() => packRows(device, [[1], []], 11)).toThrow(/at least one token; got lengths \[1, 0\]/);
  expect(() => packRows(device, [[11]], 11)).toThrow(/token id 11 is outside the vocabulary; expected 0 to 10/);
  device.scope(() =>
    expect(() => model.hiddenStates(model.packRows([[1, 2, 3, 4, 5, 6, 7, 8, 9]]))).toThrow(/9 tokens; expected at most 8/),
  );
});

test("a model tells what adapters and counts need to know of it, and what the head is called now", () => {
  using model = Qwen2ForCausalLM.initialize(config, { device, random: () => 0.1 });
  expect(model).toMatchObject({ modelType: "qwen2", outputEmbedding: "lm_head", defaultTargetModules: ["q_proj", "v_proj"] });
  expect([...model.linearLayers.keys()]).toEqual(weightSpecs(config).flatMap(({ linear }) => linear ?? []));
  expect(model.numParameters - model.numNonEmbeddingParameters).toBe(11 * 6);
  expect(() => model.lmHead).toThrow(/model\.lmHead: .*expected model\.logProbs\(hidden, labels\) or model\.logits\(hidden\)/);
});

test("rows go on from the positions given", async () => {
  const batch = packRows(
    device,
    [
      [1, 2],
      [3, 4, 5],
    ],
    11,
    { firstPositions: [0, 3] },
  );
  expect([...(await batch.positions.read())]).toEqual([0, 1, 3, 4, 5]);
  expect(() => packRows(device, [[1]], 11, { firstPositions: [-1] })).toThrow(/firstPositions must be a whole number for each row/);
  expect(() => packRows(device, [[1]], 11, { firstPositions: [1, 2] })).toThrow(/expected 1, got \[1, 2\]/);
  using model = Qwen2ForCausalLM.initialize(config, { device, random: () => 0.1 });
  device.scope(() =>
    expect(() => model.hiddenStates(model.packRows([[1, 2]], { firstPositions: [7] }))).toThrow(/9 tokens; expected at most 8/),
  );
  for (const tensor of [batch.inputIds, batch.positions, batch.starts, batch.ends]) tensor.dispose();
});

async function checkpoint(
  edits: Record<string, (values: Float32Array) => unknown> = {},
  { drop, integers, others = [] }: { drop?: string; integers?: string; others?: [string, TensorToWrite][] } = {},
): Promise<TensorReader> {
  const tensors = weightSpecs(config)
    .filter(({ name }) => name !== drop)
    .map(({ name, shape }): [string, TensorToWrite] => {
      const values = new Float32Array(shape.reduce((product, size) => product * size, 1)).fill(0.5);
      edits[name]?.(values);
      return [
        name,
        name === integers
          ? { dtype: "I32", shape: [...shape], data: new Int32Array(values.length) }
          : { dtype: "F32", shape: [...shape], data: values },
      ];
    });
  return openSafetensors(bytesSource(await encodeSafetensors([...new Map([...tensors, ...others])])));
}
