import { expect, it } from "vitest";
import { backward, linear, mean, mul, rehearsalDevice } from "../index.js";
import { plainGpu } from "../../../testing/src/pretended-gpus.js";

it("records a step without a GPU, counts what it takes, and nothing is left", () => {
  using device = rehearsalDevice(plainGpu);
  using weight = device.zeros([4096, 4096], "f32", "weight");
  weight.requiresGrad = true;
  const before = device.memory.info();
  device.scope(() => {
    const x = device.tensor(new Float32Array(64 * 4096), [64, 4096], "f32");
    const y = linear(x, weight); // [64, 4096]
    backward(mean(mul(y, y))).dispose();
  });
  const after = device.memory.info();
  expect(before.inUseBytes).toBe(4 * 4096 * 4096);
  expect(after.inUseBytes).toBe(before.inUseBytes);
  expect(after.peakInUseBytes).toBeGreaterThan(2 * before.inUseBytes); // the gradient is as large as the weight
});

it("a rehearsal within it counts on from what is there, and it stays one", async () => {
  using device = rehearsalDevice(plainGpu);
  using kept = device.zeros([1024], "f32");
  const info = device.memory.rehearse(() => void device.zeros([2048], "f32"));
  expect(info.peakInUseBytes).toBe(kept.byteLength + 8192);
  expect(device.memory.info().inUseBytes).toBe(kept.byteLength);
  expect(device.recorder.isRehearsing).toBe(true);
  await device.sync();
  await device.memory.trim();
});

it("has no numbers to read, and says so", async () => {
  using device = rehearsalDevice(plainGpu);
  using tensor = device.zeros([2], "f32");
  const refusal = {
    code: "CAPABILITY",
    missing: "numbers",
    message: expect.stringMatching(/^read: nothing is computed while a device rehearses; /) as string,
  };
  await expect(tensor.read()).rejects.toMatchObject(refusal);
  await expect(device.readAll([tensor])).rejects.toMatchObject({ code: "CAPABILITY" });
});

it("keeps to the limits of the device that it stands for", () => {
  using device = rehearsalDevice({ ...plainGpu, maxBufferBytes: 2 ** 20 });
  expect(() => device.zeros([2 ** 19], "f32", "large")).toThrow(/large is too large; expected at most 1048576 bytes in one buffer/);
});
