import { loadModel } from "@kto/kit";
import { getPeftModel } from "@kto/lora";
import { requestDevice, type Device } from "@kto/tensor";
import { checkOp, Numbers, type OpInput } from "@kto/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { marginLoss } from "./margin-loss.js";
import { loadExamples, quickstartModel } from "./quickstart.js";
import { train } from "./train.js";

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device?.dispose());

test.each([1, 7, 130])("value and gradient for %i rows are those of the formula in float64", async (rows) => {
  const numbers = new Numbers(rows);
  const signs: OpInput = {
    data: Float64Array.from({ length: rows }, (_, i) => (i % 3 === 0 ? -1 : 1)),
    shape: [rows],
    dtype: "f32",
    needsGradient: false,
  };
  await checkOp(device, {
    name: `marginLoss ${rows}`,
    inputs: { policy: numbers.input([rows], { scale: 20 }), ref: numbers.input([rows], { scale: 20, needsGradient: false }), signs },
    run: (at) => marginLoss(at.policy, at.ref, at.signs, { beta: 0.1, margin: 0.5 }),
    reference: (at) =>
      at.policy.reduce((sum, policy, i) => sum + Math.log1p(Math.exp(0.5 - 0.1 * at.signs[i]! * (policy - at.ref[i]!))), 0) / rows,
  });
});

test("training lowers it, from −log σ(−margin) at the first update, and leaves no GPU memory behind", async () => {
  using base = await loadModel(quickstartModel, { device });
  const examples = (await loadExamples(base.tokenizer!)).slice(0, 32 * 24);
  const losses: number[] = [];
  const bytes: number[] = [];
  using model = getPeftModel(base, { r: 16, loraAlpha: 32, targetModules: "all-linear" });
  for await (const loss of train(model, examples)) {
    losses.push(loss);
    bytes.push(device.memory.info().inUseBytes);
  }
  expect(losses).toHaveLength(24);
  expect(losses[0]).toBeCloseTo(Math.log1p(Math.E), 5);
  expect(losses.slice(-4).reduce((sum, loss) => sum + loss, 0) / 4).toBeLessThan(1);
  expect(new Set(bytes.slice(1)).size).toBe(1);
});
