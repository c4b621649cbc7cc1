import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { OutOfMemoryError, requestDevice, sizeClass, type Device } from "../index.js";

let device: Device;
beforeAll(async () => {
  device = await requestDevice({ nullBackend: true });
});
afterAll(() => device?.dispose());

describe("size classes", () => {
  it("are at least the size, waste less than a sixteenth, and are multiples of 256", () => {
    for (let size = 1; size < 5_000_000; size = Math.ceil(size * 1.01) + 1) {
      expect(sizeClass(size)).toBeGreaterThanOrEqual(size);
      if (size > 4096) expect(sizeClass(size) / size).toBeLessThan(size > 2 ** 22 ? 1.016 : 1.0625);
      expect(sizeClass(size) % 256).toBe(0);
    }
    expect([1, 256, 257, 4096, 4097].map(sizeClass)).toEqual([256, 256, 512, 4096, 4352]);
  });

  it("are sixteen to a power of two", () => {
    const classes = new Set(Array.from({ length: 65_536 }, (_, i) => sizeClass(65_537 + i)));
    expect(classes.size).toBe(16);
  });
});

describe("a pool", () => {
  it("gives a freed buffer to the next tensor of its class", () => {
    const before = device.memory.info();
    const first = device.empty([1000], "f32");
    const buffer = first.storage.buffer;
    first.dispose();
    const second = device.empty([1001], "f32");
    expect(second.storage.buffer).toBe(buffer);
    expect(device.memory.info().liveStorages).toBe(before.liveStorages + 1);
    second.dispose();
    expect(device.memory.info()).toMatchObject({ liveStorages: before.liveStorages, inUseBytes: before.inUseBytes });
  });

  it("keeps the largest sum it held, and gives everything free back on trim", async () => {
    await device.memory.trim();
    device.memory.resetPeak();
    const before = device.memory.info().allocatedBytes;
    const tensors = [1, 2, 3].map(() => device.empty([1_000_000], "f32"));
    const peak = device.memory.info().peakBytes;
    expect(peak - before).toBe(3 * sizeClass(4_000_000));
    for (const tensor of tensors) tensor.dispose();
    await device.memory.trim();
    expect(device.memory.info()).toMatchObject({ allocatedBytes: before, peakBytes: peak });
  });

  it("takes a free buffer up to 1.6 times as large before it makes one", async () => {
    await device.memory.trim();
    const large = device.empty([1_400_000], "f32");
    const { buffer } = large.storage;
    large.dispose();
    const [smaller, muchSmaller] = [device.empty([1_000_000], "f32"), device.empty([800_000], "f32")];
    expect(smaller.storage.buffer).toBe(buffer);
    expect(muchSmaller.storage.buffer).not.toBe(buffer);
    smaller.dispose();
    const tooSmall = device.empty([800_000], "f32");
    expect(tooSmall.storage.buffer).not.toBe(buffer);
    for (const tensor of [muchSmaller, tooSmall]) tensor.dispose();
  });

  it("destroys free buffers before it passes its limit, and passes it only with buffers in use", async () => {
    await device.memory.trim();
    const start = device.memory.info().allocatedBytes;
    const size = sizeClass(4_000_000);
    device.memory.limitBytes = start + 2 * size;
    try {
      const tensors = [1, 2].map(() => device.empty([1_000_000], "f32"));
      for (const tensor of tensors) tensor.dispose();
      const other = device.empty([300_000], "f32");
      expect(device.memory.info().allocatedBytes).toBe(start + size + sizeClass(1_200_000));
      const inUse = [1, 2, 3].map(() => device.empty([1_000_000], "f32"));
      expect(device.memory.info()).toMatchObject({ allocatedBytes: start + 3 * size + sizeClass(1_200_000), freeBytes: 0 });
      for (const tensor of [other, ...inUse]) tensor.dispose();
    } finally {
      device.memory.limitBytes = Infinity;
      await device.memory.trim();
    }
  });

  it("says what was asked for and what is allowed when a buffer is too large", () => {
    const size = device.capabilities.maxBufferBytes + 4;
    const failure = ((): unknown => {
      try {
        return device.empty([size / 4], "f32", "logits");
      } catch (error) {
        return error;
      }
    })();
    expect(failure).toBeInstanceOf(OutOfMemoryError);
    expect(failure).toMatchObject({ code: "OUT_OF_MEMORY", requestedBytes: sizeClass(size) });
    expect(String(failure)).toContain("logits is too large; expected at most");
  });
});
