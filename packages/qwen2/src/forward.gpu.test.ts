import { fileDirectory } from "@kto/core/node";
import { openSafetensorsFile } from "@kto/safetensors/node";
import { toFloat32 } from "@kto/safetensors";
import { asTypedArray, type SafetensorsFile } from "@kto/safetensors";
import { meanAbsDifference } from "@kto/testing";
import { fixturePath } from "@kto/testing/workspace";
import { requestDevice, type Device, type Tensor } from "@kto/tensor";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Qwen2ForCausalLM } from "./qwen2.js";
import { unpad } from "./decoder/token-batch.js";

/** Largest difference allowed at any element of hidden states and logits, f32 on the device against float64: ten times transformers' own f32 noise. */
const tolerance = { hidden: 2e-4, logits: 2e-4, logProbsMean: 1e-4 };

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device.dispose());

describe.each(["model", "model-bf16", "model-sharded"])("%s", (folder) => {
  test.each(["right", "left", "one", "long"])("forward/%s equals transformers", async (name) => {
    using model = await Qwen2ForCausalLM.fromPretrained(fileDirectory(fixturePath(folder)), { device, dtype: "f32" });
    const expected = await openSafetensorsFile(fixturePath("forward", `${name}.safetensors`));
    const ids = await rowsOf(expected, "input_ids");
    const { rows, paddedIndices } = unpad(ids, await rowsOf(expected, "attention_mask"));
    const hidden = new Map<string, Tensor>();
    const { normed, logits, logProbs } = device.scope(() =>
      device.noGrad(() => {
        const batch = model.packRows(rows);
        const normed = model.hiddenStates(batch, {
          onHiddenState: (index, state) =>
            hidden.set(
              index === 0 ? "hidden.embedding" : `hidden.layer.${index - 1}`,
              device.unscoped(() => state.detach()),
            ),
        });
        const next = rows.flatMap((row) => [...row.slice(1), 0]);
        const { logProbs } = model.logProbs(normed, device.tensor(next, [next.length], "u32"));
        return { normed, logits: model.logits(normed), logProbs };
      }),
    );
    hidden.set("hidden.norm", normed);
    for (const [key, state] of hidden) {
      if (expected.tensors.has(key)) await expectRows(expected, key, (await state.read()) as Float32Array, paddedIndices, tolerance.hidden);
      state.dispose();
    }
    await expectRows(expected, "logits", (await logits.read()) as Float32Array, paddedIndices, tolerance.logits);
    await expectLogProbs(expected, (await logProbs.read()) as Float32Array, rows, paddedIndices, ids[0]!.length);
    logits.dispose();
    logProbs.dispose();
    await expected.dispose();
  });
});

async function rowsOf(file: SafetensorsFile, name: string): Promise<number[][]> {
  const { data, dtype, shape } = await file.read(name);
  const values = [...asTypedArray(data, dtype as "I64")].map(Number);
  return Array.from({ length: shape[0]! }, (_, row) => values.slice(row * shape[1]!, (row + 1) * shape[1]!));
}

async function expectRows(
  file: SafetensorsFile,
  name: string,
  actual: Float32Array,
  paddedIndices: Uint32Array,
  atol: number,
): Promise<void> {
  const { data, dtype, shape } = await file.read(name);
  const { values } = toFloat32(data, dtype);
  const width = shape.at(-1)!;
  let worst = 0;
  paddedIndices.forEach((padded, token) => {
    for (let col = 0; col < width; col++) worst = Math.max(worst, Math.abs(actual[token * width + col]! - values[padded * width + col]!));
  });
  expect(worst, `${name}: largest difference`).toBeLessThan(atol);
}

async function expectLogProbs(
  file: SafetensorsFile,
  actual: Float32Array,
  rows: Uint32Array[],
  paddedIndices: Uint32Array,
  seqLen: number,
): Promise<void> {
  if (!file.tensors.has("log_probs")) return; // a row of one token has none
  const { data, dtype } = await file.read("log_probs");
  const { values } = toFloat32(data, dtype);
  const pairs: [number, number][] = [];
  let token = 0;
  for (const row of rows) {
    for (let position = 0; position < row.length; position++, token++) {
      if (position === row.length - 1) continue;
      const padded = paddedIndices[token]!;
      pairs.push([actual[token]!, values[Math.floor(padded / seqLen) * (seqLen - 1) + (padded % seqLen)]!]);
    }
  }
  if (pairs.length === 0) return;
  expect(
    meanAbsDifference(
      pairs.map(([a]) => a),
      pairs.map(([, b]) => b),
    ),
  ).toBeLessThan(tolerance.logProbsMean);
}
