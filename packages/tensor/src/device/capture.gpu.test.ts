import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { add, full, linear, mul, requestDevice, type Device } from "../index.js";

let device: Device;
let live = 0;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device?.dispose());
beforeEach(() => {
  live = device.memory.info().liveStorages;
});
afterEach(() => {
  expect(device.memory.info().liveStorages, "buffers left over").toBe(live);
});

describe("a capture", () => {
  it("does nothing until it runs, then computes with what tensors from outside hold", async () => {
    using x = device.tensor([1, 2, 3, 4], [4], "f32");
    using capture = device.capture(() => add(mul(x, x), x));
    const dispatches = device.recorder.numDispatches;
    capture.run();
    expect(device.recorder.numDispatches).toBe(dispatches + 2);
    expect([...(await capture.result.read())]).toEqual([2, 6, 12, 20]);
    device.writeBytes(x, new Uint8Array(Float32Array.of(5, 0, -1, 10).buffer));
    capture.run();
    expect([...(await capture.result.read())]).toEqual([30, 0, 0, 110]);
  });

  it("writes to tensors from outside, clears and copies, in its order", async () => {
    using sum = device.tensor([1, 1], [2], "f32");
    using capture = device.capture(() => {
      const zeros = device.zeros([2], "f32");
      const next = add(add(sum, sum), zeros);
      device.copyInto(sum, next);
    });
    for (let i = 0; i < 3; i++) capture.run();
    expect([...(await sum.read())]).toEqual([8, 8]);
  });

  it("has its buffers to itself: what others make between two runs is neither read nor written", async () => {
    using x = full(device, [64, 64], 1, "f32");
    using capture = device.capture(() => linear(linear(x, x), x)); // [64, 64], each 64 · 64
    capture.run();
    using other = device.unscoped(() => full(device, [64, 64], 7, "f32"));
    using third = device.unscoped(() => full(device, [64, 64], 9, "f32"));
    capture.run();
    expect((await capture.result.read()).every((value) => value === 4096)).toBe(true);
    expect((await other.read()).every((value) => value === 7)).toBe(true);
    expect((await third.read()).every((value) => value === 9)).toBe(true);
  });

  it("keeps what it names from outside, although its owner gave it up", async () => {
    const table = device.tensor([3, 3], [2], "f32");
    using x = device.tensor([1, 2], [2], "f32");
    const capture = device.capture(() => mul(x, table));
    table.dispose();
    using other = device.tensor([8, 8], [2], "f32");
    capture.run();
    expect([...(await capture.result.read())]).toEqual([3, 6]);
    expect([...(await other.read())]).toEqual([8, 8]);
    capture.dispose();
  });

  it("takes no host data, and leaves the device as it was when its body throws", async () => {
    using x = device.tensor([1, 2], [2], "f32");
    const body = (): unknown => add(x, device.tensor([1, 1], [2], "f32"));
    expect(() => device.capture(body)).toThrow(
      "capture: host data would be written once and not again; write it before, to a tensor from outside",
    );
    using sum = add(x, x);
    expect([...(await sum.read())]).toEqual([2, 4]);
  });
});
