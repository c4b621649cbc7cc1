import { readFileSync } from "node:fs";
import { bytesSource } from "@kto/core";
import { asTypedArray, openSafetensors } from "@kto/safetensors";
import { requestDevice, type Device } from "@kto/tensor";
import { fixturePath } from "@kto/testing/workspace";
import { afterAll, beforeAll, expect, it } from "vitest";
import { collectImportance } from "./importance.js";
import { loadModel } from "./load-model.js";

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device.dispose());

const rows = [[5, 9, 12, 300, 7], [], [44, 45, 46]];
const tokens = rows.flat();

/** Squares of the first layer's normed inputs, summed over the tokens, in f64. */
async function expectedSums(): Promise<Float64Array> {
  const file = await openSafetensors(bytesSource(readFileSync(fixturePath("model", "model.safetensors"))));
  const values = async (name: string): Promise<Float32Array> => asTypedArray((await file.read(name)).data, "F32");
  const embedding = await values("model.embed_tokens.weight");
  const weight = await values("model.layers.0.input_layernorm.weight");
  const sums = new Float64Array(64);
  for (const id of tokens) {
    const x = embedding.subarray(id * 64, (id + 1) * 64);
    const scale = 1 / Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) / 64 + 1e-6);
    for (let column = 0; column < 64; column++) sums[column]! += (x[column]! * scale * weight[column]!) ** 2;
  }
  return sums;
}

it("gathers the squares of what each layer is given, and leaves the model as it was", async () => {
  using model = await loadModel(fixturePath("model"), { device, dtype: "f32" });
  const hidden = async (): Promise<Float32Array> => {
    const found = device.scope(() => device.noGrad(() => model.hiddenStates(model.packRows([[1, 2, 3]]))));
    const read = (await found.read()) as Float32Array;
    found.dispose();
    return read;
  };
  const before = await hidden();
  const live = device.memory.info().liveStorages;
  const progress: number[] = [];
  const entries = await collectImportance(model, rows, { onProgress: (at) => progress.push(at.tokens) });
  expect(device.memory.info().liveStorages).toBe(live);
  expect(await hidden()).toEqual(before);
  expect([...model.linearLayers.values()].every(({ adapter }) => adapter === undefined)).toBe(true);
  expect(progress).toEqual([5, 8]);

  expect([...entries.keys()].filter((name) => name.startsWith("blk.1."))).toEqual(
    ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"].map((name) => `blk.1.${name}.weight`),
  );
  const expected = await expectedSums();
  for (const name of ["attn_q", "attn_k", "attn_v"]) {
    const { sumSquares, count } = entries.get(`blk.0.${name}.weight`)!;
    expect(count).toBe(tokens.length);
    for (const [column, sum] of expected.entries()) expect(sumSquares[column]! / sum, `${name} ${column}`).toBeCloseTo(1, 4);
  }
  expect(entries.get("blk.1.ffn_down.weight")!.sumSquares).toHaveLength(160);
  for (const { sumSquares } of entries.values()) expect(sumSquares.every((sum) => sum > 0 && Number.isFinite(sum))).toBe(true);
});

it("stops at a signal, and is refused without a token; the model is as it was", async () => {
  using model = await loadModel(fixturePath("model"), { device, dtype: "f32" });
  const stop = new AbortController();
  stop.abort(new Error("enough"));
  await expect(collectImportance(model, rows, { signal: stop.signal })).rejects.toThrow("enough");
  await expect(collectImportance(model, [[]])).rejects.toThrow(
    /there is no text; expected at least one row with a token, got 1 rows without/,
  );
  expect([...model.linearLayers.values()].every(({ adapter }) => adapter === undefined)).toBe(true);
});
