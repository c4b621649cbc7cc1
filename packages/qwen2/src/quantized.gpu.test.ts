import { FormatError } from "@kto/core";
import { fileDirectory } from "@kto/core/node";
import { asTypedArray, openCheckpoint } from "@kto/safetensors";
import { openSafetensorsFile } from "@kto/safetensors/node";
import { Linear, requestDevice, type Device } from "@kto/tensor";
import { fixturePath } from "@kto/testing/workspace";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { expectNoBuffersLeft } from "../../testing/src/no-buffers-left.js";
import { loadWeights, Qwen2ForCausalLM, readQwen2Config, weightSpecs } from "./index.js";

/** As in forward.gpu.test.ts: ten times transformers' own f32 noise (nf4/report.json has it: 2e-6 to 6e-6). */
const logitTolerance = 2e-4;

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device.dispose());
expectNoBuffersLeft(() => device);

const load = (
  folder: string,
  quantization?: { loadIn4bit: true; bnb4bitUseDoubleQuant?: boolean; llmInt8SkipModules?: readonly string[] },
): Promise<Qwen2ForCausalLM> =>
  Qwen2ForCausalLM.fromPretrained(fileDirectory(fixturePath(folder)), { device, dtype: "f32", ...(quantization ? { quantization } : {}) });

async function logitsOf(model: Qwen2ForCausalLM, ids: number[]): Promise<Float32Array> {
  using logits = device.scope(() => device.noGrad(() => model.logits(model.hiddenStates(model.packRows([ids])))));
  return (await logits.read()) as Float32Array;
}

async function fixture(name: string): Promise<{ ids: number[]; logits: Float64Array }> {
  const file = await openSafetensorsFile(fixturePath("nf4", `logits-${name}.safetensors`));
  try {
    const ids = [...asTypedArray((await file.read("input_ids")).data, "I64")].map(Number);
    return { ids, logits: new Float64Array(asTypedArray((await file.read("logits_f64")).data, "F64")) };
  } finally {
    await file.dispose();
  }
}

describe("a checkpoint of bitsandbytes", () => {
  test.each(["plain", "dynamic", "aligned"])("model-%s gives the logits of its dequantised weights", async (name) => {
    using model = await load(`nf4/model-${name}`);
    const { ids, logits } = await fixture(name);
    const found = await logitsOf(model, ids);
    expect(found).toHaveLength(logits.length);
    expect(Math.max(...found.map((value, index) => Math.abs(value - logits[index]!)))).toBeLessThan(logitTolerance);
  });

  test("has the layers in four bits that its file holds so, whatever config.json declares", async () => {
    using model = await load("nf4/model-dynamic");
    expect([...model.quantizedWeights.keys()].map((name) => name.replace(/^model\.layers\.|\.weight$/g, ""))).toEqual([
      "0.mlp.gate_proj",
      "0.mlp.up_proj",
      "0.mlp.down_proj",
      "1.self_attn.q_proj",
      "1.self_attn.k_proj",
      "1.self_attn.v_proj",
      "1.self_attn.o_proj",
    ]);
    using plain = await load("model-bf16");
    expect(model.numParameters).toBe(plain.numParameters);
    expect(model.weightBytes).toBeLessThan(0.8 * plain.weightBytes);
    expect(model.quantizedWeights.get("model.layers.0.mlp.gate_proj.weight")!.shape).toEqual([160, 64]);
  });

  test("is not quantised again when asked to load in four bits", async () => {
    using model = await load("nf4/model-dynamic", { loadIn4bit: true });
    expect(model.quantizedWeights.size).toBe(7);
  });
});

describe("quantising while loading", () => {
  test("takes every linear layer but the head, as bitsandbytes does", async () => {
    using model = await load("model-bf16", { loadIn4bit: true, bnb4bitUseDoubleQuant: true });
    using reference = await load("nf4/model-plain");
    expect([...model.quantizedWeights.keys()]).toEqual([...reference.quantizedWeights.keys()]);
    for (const [name, weight] of model.quantizedWeights) {
      const [found, expected] = await Promise.all(
        [weight, reference.quantizedWeights.get(name)!].map(async (each) => {
          using matrix = device.unscoped(() => each.dequantize("f32"));
          return (await matrix.read()) as Float32Array;
        }),
      );
      // The CPU backend that wrote the fixture finds some scale codes one off the nearest (nf4/report.json); codes of weights are equal.
      const squares = expected!.reduce((total, value) => total + value * value, 0);
      const errors = expected!.reduce((total, value, index) => total + (value - found![index]!) ** 2, 0);
      expect(errors / squares, name).toBeLessThan(1e-5);
    }
  });

  test("honours the modules to skip, and stores plain scales unless told otherwise", async () => {
    using model = await load("model-bf16", {
      loadIn4bit: true,
      llmInt8SkipModules: ["lm_head", "model.layers.1.mlp", "model.layers.0.self_attn"],
    });
    expect([...model.quantizedWeights.keys()]).toHaveLength(7);
    expect([...model.quantizedWeights.values()].every(({ state }) => state.nested === undefined)).toBe(true);
    expect(model.layers[1]!.gateProj).toBeInstanceOf(Linear);
  });

  test("from f32 and from several files", async () => {
    for (const folder of ["model", "model-sharded"]) {
      using model = await load(folder, { loadIn4bit: true });
      expect(model.quantizedWeights.size).toBe(14);
    }
  });
});

test("a quantised head is refused, and so are other kinds of quantisation", async () => {
  const folder = fileDirectory(fixturePath("nf4/model-dynamic"));
  const specs = weightSpecs(readQwen2Config(JSON.parse(await textOf(folder, "config.json"))));
  const reader = await openCheckpoint(folder);
  const withTensors = (
    change: (tensors: Map<string, typeof reader.tensors extends ReadonlyMap<string, infer T> ? T : never>) => void,
  ): typeof reader => {
    const tensors = new Map(reader.tensors);
    change(tensors);
    return { ...reader, tensors };
  };
  const state = reader.tensors.get("model.layers.0.mlp.up_proj.weight.quant_state.bitsandbytes__nf4")!;
  const head = withTensors((tensors) => tensors.set("model.embed_tokens.weight.quant_state.bitsandbytes__nf4", state));
  await expect(loadWeights(head, specs, { device, dtype: "f32" })).rejects.toThrow(
    /model\.embed_tokens\.weight is in four bits; expected 16 or 32 bits/,
  );
  const int8 = withTensors((tensors) => tensors.delete("model.layers.0.mlp.up_proj.weight.quant_state.bitsandbytes__nf4"));
  await expect(loadWeights(int8, specs, { device, dtype: "f32" })).rejects.toThrow(FormatError);
  await expect(loadWeights(int8, specs, { device, dtype: "f32" })).rejects.toThrow(
    /up_proj\.weight is quantised in a way this package does not read; expected .*bitsandbytes__nf4 beside it, or F32, F16 or BF16, got U8 \[5120, 1\]/,
  );
  await reader.dispose();
});

async function textOf(folder: ReturnType<typeof fileDirectory>, name: string): Promise<string> {
  const source = (await folder.open(name))!;
  const text = new TextDecoder().decode(await source.slice(0, source.byteLength));
  await source.dispose?.();
  return text;
}

test("the loss of a tensor in flight frees everything", async () => {
  const stop = new AbortController();
  const loading = Qwen2ForCausalLM.fromPretrained(fileDirectory(fixturePath("nf4/model-dynamic")), {
    device,
    dtype: "f32",
    signal: stop.signal,
    onProgress: ({ name }) => {
      if (name.includes("layers.1")) stop.abort(new Error("enough"));
    },
  });
  await expect(loading).rejects.toThrow("enough");
});
