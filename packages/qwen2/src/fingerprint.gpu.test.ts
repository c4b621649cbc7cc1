import { fixturePath } from "@kto/testing/workspace";
import { requestDevice, type Device } from "@kto/tensor";
import { afterAll, beforeAll, expect, it } from "vitest";
import { loadCausalLM } from "./index.js";
import { fileDirectory } from "./node.js";

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device.dispose());

it.each(["model", "nf4/model-dynamic"])(
  "a model has the fingerprint of its weights, whenever and however often it is loaded: %s",
  async (folder) => {
    const load = () => loadCausalLM(fileDirectory(fixturePath(folder)), { device, dtype: "f32" });
    using model = await load();
    using again = await load();
    const before = device.memory.info().liveStorages;
    const fingerprint = await model.fingerprint();
    expect(await again.fingerprint()).toEqual(fingerprint);
    expect(device.memory.info().liveStorages).toBe(before);
    const changed = [...again.quantizedWeights.values()][0]?.tensors.codes ?? again.weights.get("model.norm.weight")!;
    device.writeBytes(changed, new Uint8Array(4).fill(0x3f));
    expect(await again.fingerprint()).not.toEqual(fingerprint);
  },
);

it("models of one file in other types have others", async () => {
  using whole = await loadCausalLM(fileDirectory(fixturePath("model")), { device, dtype: "f32" });
  using four = await loadCausalLM(fileDirectory(fixturePath("model")), { device, dtype: "f32", quantization: { loadIn4bit: true } });
  expect(await four.fingerprint()).not.toEqual(await whole.fingerprint());
});
