import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import {
  add,
  backward,
  full,
  linear,
  mul,
  OutOfMemoryError,
  rehearsalDevice,
  requestDevice,
  sum,
  type Device,
  type Tensor,
} from "../index.js";

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device?.dispose());

/** A step with tensors of several sizes, some of them kept for the backward pass. */
function step(weight: Tensor): void {
  device.scope(() => {
    const x = full(device, [64, 32], 1, "f32");
    const hidden = linear(x, weight); // [64, 128]
    const product = device.scope(() => add(mul(hidden, hidden), hidden));
    backward(sum(product)).dispose();
  });
}

describe("a rehearsal", () => {
  it("tells the peak of what it rehearses to the byte, and does nothing", async () => {
    using weight = full(device, [128, 32], 0.5, "f32");
    weight.requiresGrad = true;
    await device.memory.trim();
    const before = device.memory.info();
    const dispatches = device.recorder.numDispatches;
    const told = device.memory.rehearse(() => step(weight));
    expect(device.memory.info()).toEqual(before);
    expect(device.recorder.numDispatches).toBe(dispatches);
    device.memory.resetPeak();
    step(weight);
    expect(device.memory.info()).toMatchObject({ peakBytes: told.peakBytes, peakInUseBytes: told.peakInUseBytes });
    expect(told.peakBytes).toBeGreaterThan(before.allocatedBytes + 64 * 128 * 4);
  });

  it("counts on from the free buffers there are", async () => {
    using weight = full(device, [128, 32], 0.5, "f32");
    weight.requiresGrad = true;
    step(weight);
    const { allocatedBytes } = device.memory.info();
    expect(device.memory.rehearse(() => step(weight)).peakBytes).toBe(allocatedBytes);
  });

  it("lets kernels be compiled ahead", async () => {
    const fresh = await requestDevice();
    try {
      const once = (): void => fresh.scope(() => void mul(full(fresh, [8], 1, "f32"), full(fresh, [8], 1, "f32")));
      fresh.memory.rehearse(once);
      expect(fresh.recorder.numPipelines).toBe(0);
      await fresh.recorder.warmUp();
      const size = fresh.recorder.numPipelines;
      expect(size).toBe(2);
      once();
      expect(fresh.recorder.numPipelines).toBe(size);
    } finally {
      fresh.dispose();
    }
  });

  it("on another device tells what to compile, and each kernel is compiled once, however often it is asked for meanwhile", async () => {
    const fresh = await requestDevice();
    using elsewhere = rehearsalDevice(fresh.capabilities);
    const compile = vi.spyOn(fresh.gpuDevice, "createComputePipelineAsync");
    try {
      const once = (on: Device): void => on.scope(() => void mul(full(on, [8], 1, "f32"), full(on, [8], 1, "f32")));
      elsewhere.memory.rehearse(() => once(elsewhere));
      const ahead = fresh.recorder.warmUp(elsewhere.recorder.anticipated);
      fresh.memory.rehearse(() => once(fresh));
      await Promise.all([ahead, fresh.recorder.warmUp()]);
      once(fresh);
      expect(compile).toHaveBeenCalledTimes(2);
      expect(fresh.recorder.numPipelines).toBe(2);
    } finally {
      compile.mockRestore();
      fresh.dispose();
    }
  });

  it("leaves the device as it was when its body throws", () => {
    expect(() =>
      device.memory.rehearse(() => {
        throw new Error("no");
      }),
    ).toThrow("no");
    expect(device.recorder.isRehearsing).toBe(false);
  });
});

describe("without memory", () => {
  it("there is one error, with what was asked for and what was held, and the device goes on", async () => {
    const small = await requestDevice({ nullBackend: true }); // which has half a GiB
    small.memory.readFreeBytes = () => 1234;
    try {
      const held = small.zeros([2 ** 26], "f32", "a quarter of a GiB"); // 2^28 bytes
      await small.sync();
      const error = await (async () => {
        try {
          small.scope(() => {
            const more = small.zeros([2 ** 26], "f32", "another quarter");
            void add(more, more);
          });
          await small.sync();
          return undefined;
        } catch (cause) {
          return cause;
        }
      })();
      expect(error).toBeInstanceOf(OutOfMemoryError);
      expect((error as OutOfMemoryError).requestedBytes).toBe(2 ** 28);
      expect((error as OutOfMemoryError).message).toMatch(
        /^GPU: out of memory; asked for 268435456 bytes \(another quarter\) beside \d+ bytes that this process holds, with 1234 bytes free; close what else uses the GPU$/,
      );
      held.dispose();
      await small.memory.trim();
      const after = small.zeros([2 ** 20], "f32", "a little");
      await small.sync();
      expect(await after.read()).toHaveLength(2 ** 20);
      after.dispose();
    } finally {
      small.dispose();
    }
  });
});
