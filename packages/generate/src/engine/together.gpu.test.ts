import { PeftModel } from "@kto/lora";
import { loadCausalLM, type DecoderForCausalLM } from "@kto/qwen2";
import { fileDirectory } from "@kto/qwen2/node";
import { requestDevice, type Device } from "@kto/tensor";
import { fixturePath } from "@kto/testing/workspace";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { GenerationEngine } from "../index.js";
import { answeredPrompts, greedySampling, idsOf } from "../testing/rows.js";

let device: Device;
let model: DecoderForCausalLM;

beforeAll(async () => {
  device = await requestDevice();
  model = await loadCausalLM(fileDirectory(fixturePath("model")), { device, dtype: "f32" });
});
afterAll(() => {
  model.dispose();
  device.dispose();
});
// A software adapter computes layers one by one, unless a test asks for the kernels of other devices.
beforeEach(() => {
  if (device.capabilities.software) device.recorder.variants.set("fewRows", "serial");
});
afterEach(() => device.recorder.variants.delete("fewRows"));

async function answers(engine: GenerationEngine, prompts: readonly number[][], adapters?: string[]): Promise<number[][]> {
  const rest = { maxNewTokens: 24, eosTokenIds: [], sampling: greedySampling, adapters };
  const rows = prompts.map((promptIds) => engine.start({ promptIds, ...rest }));
  return Promise.all(rows.map(idsOf));
}

describe("layers that are computed together", () => {
  it.each([1, 3])("give transformers' greedy ids, %i rows", async (numRows) => {
    using engine = new GenerationEngine(model, { maxRows: numRows });
    const asked = answeredPrompts.slice(0, numRows);
    const ids = await answers(
      engine,
      asked.map(({ prompt_ids }) => prompt_ids),
    );
    asked.forEach(({ greedy: { ids: expected, trusted } }, row) =>
      expect(ids[row]!.slice(0, trusted)).toEqual(expected.slice(0, Math.min(trusted, 24))),
    );
  });

  it("take six launches a layer and four around them, with an adapter one more before the first layer", async () => {
    using adapted = new PeftModel(model);
    const adapter = adapted.addAdapter({ r: 4, targetModules: "all-linear" });
    for (const [name, b] of adapter.bucket.parameters)
      if (name.includes("lora_B"))
        device.writeBytes(b, new Uint8Array(Float32Array.from({ length: b.size }, (_, i) => Math.sin(i) / 50).buffer));
    const options = { maxRows: 1, withAdapters: <T>(names: readonly string[], body: () => T) => adapted.withAdapters(names, body) };
    const prompt = answeredPrompts[0]!.prompt_ids;
    const launchesOf = async (adapters: string[]): Promise<{ ids: number[]; launches: number }> => {
      using engine = new GenerationEngine(model, options);
      await answers(engine, [prompt], adapters);
      const before = device.recorder.numDispatches;
      const [ids] = await answers(engine, [prompt], adapters);
      return { ids: ids!, launches: device.recorder.numDispatches - before };
    };
    const [bare, whole] = [await launchesOf([]), await launchesOf(["default"])];
    device.recorder.variants.delete("fewRows");
    const oneByOne = await launchesOf(["default"]);
    expect(whole.ids).not.toEqual(bare.ids);
    if (device.capabilities.software) expect(whole.ids).toEqual(oneByOne.ids);
    // 23 passes after the prompt's: embedding, head and draw, and in each layer q k v, attention and its sum, o, gate and up, down. What an adapter multiplies first is made along with what it multiplies, but for the first layer's.
    const layers = model.layers.length;
    const ofPrompt = 4 * layers; // whose products with a are launches of their own, where it is of many tokens
    expect(whole.launches - bare.launches).toBeGreaterThanOrEqual(23);
    expect(whole.launches - bare.launches).toBeLessThanOrEqual(23 + ofPrompt);
    expect(bare.launches / 24).toBeLessThan(6 * layers + 3 + 20);
    if (device.capabilities.software) expect(oneByOne.launches).toBeGreaterThan(2 * whole.launches);
  });
});
