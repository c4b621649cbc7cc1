import { getPeftModel } from "@kto/lora";
import { requestDevice } from "@kto/tensor";
import { expect, test } from "vitest";
import { loadExamples, loadModel } from "./quickstart.js";
import { train } from "./train.js";

test("the loss starts at 0.5 and falls; no GPU memory is left behind", async () => {
  await using device = await requestDevice();
  const examples = (await loadExamples()).slice(0, 32 * 24);
  using base = await loadModel(device);
  const losses: number[] = [];
  const bytes: number[] = [];
  {
    using model = getPeftModel(base, { r: 16, loraAlpha: 32, targetModules: "all-linear" });
    for await (const { loss, gradNorm } of train(model, examples)) {
      expect(gradNorm).toBeGreaterThan(0);
      losses.push(loss);
      bytes.push(device.memory.info().inUseBytes);
    }
  }
  expect(losses).toHaveLength(24);
  expect(losses[0]).toBeCloseTo(0.5, 6);
  const mean = (values: number[]): number => values.reduce((total, value) => total + value, 0) / values.length;
  expect(mean(losses.slice(-4))).toBeLessThan(0.42);
  expect(new Set(bytes.slice(1)).size).toBe(1);
});
